// embedseal keepalive: gives an embed its next token without a reload.
// Options, events and reasons: docs/guides/embed.md. Apache-2.0

const TOKEN = /^[\w-]+\.(?:[\w-]*\.){3}[\w-]+$/; // a compact JWE

const failure = (reason, final, status = 0, after = 0) =>
  Object.assign(new Error(reason), { reason, final, status, after });

export function keepAlive(frame, {
  renew, origin = frame.src, timeout = 10_000, attempts = 6, backoff = 500, longest = 30_000,
} = {}) {
  const { defaultView: page, baseURI } = frame.ownerDocument;
  origin = new URL(origin).origin;
  if (origin === "null") throw new TypeError("keepAlive: the frame has no origin");
  if (typeof renew !== "function") {
    const url = new URL(renew ?? "", baseURI);
    if (!renew || url.origin !== page.location.origin) {
      throw new TypeError("keepAlive: renew must be a function, or an address of this page's origin");
    }
    renew = (signal) => ask(page, url, signal);
  }
  let stopped = false;
  let cut; // ends what is waited for
  let running = null;
  let rest = 0; // a frame that never stops announcing is answered once a second

  const tell = (name, detail) =>
    frame.dispatchEvent(new page.CustomEvent(`embedseal:${name}`, { bubbles: true, detail }));

  const pause = (ms) => new Promise((done) => {
    const timer = setTimeout(done, ms);
    cut = () => { clearTimeout(timer); done(); };
  });

  const attempt = async () => {
    const control = new AbortController();
    let timer;
    try {
      return await new Promise((yes, no) => {
        cut = (why) => { no(failure(why)); control.abort(); };
        timer = setTimeout(cut, timeout, "timeout");
        Promise.resolve(renew(control.signal)).then(yes, no);
      });
    } finally {
      clearTimeout(timer);
    }
  };

  const run = async () => {
    await pause(rest - performance.now());
    for (let n = 1; !stopped; n++) {
      try {
        const jwt = await attempt();
        if (stopped) break;
        if (typeof jwt !== "string" || !TOKEN.test(jwt)) throw failure("malformed", true);
        if (!frame.contentWindow) throw failure("gone", true);
        frame.contentWindow.postMessage({ event: "updateCustomerJwt", detail: { jwt } }, origin);
        tell("renewed", { attempts: n });
        return true;
      } catch (e) {
        if (stopped) break;
        const { reason = "error", final, status = 0, after = 0 } = e ?? {};
        if (final || n >= attempts) {
          tell("failed", { reason, status, attempts: n });
          break;
        }
        const wait = backoff * 2 ** (n - 1) * (0.5 + Math.random() / 2);
        await pause(Math.min(longest, Math.max(wait, after)));
      }
    }
    return false;
  };

  const once = () => running ??= run().finally(() => {
    running = null;
    rest = performance.now() + 1000;
  });
  const hear = ({ source, origin: from, data }) => {
    if (source && source === frame.contentWindow && from === origin && data?.event === "customerJwtExpired") once();
  };
  page.addEventListener("message", hear);
  return {
    renew: once,
    stop() {
      stopped = true;
      page.removeEventListener("message", hear);
      cut?.();
    },
  };
}

async function ask(page, url, signal) {
  let answer, text;
  try {
    answer = await page.fetch(url, {
      method: "POST", headers: { Accept: "application/json" }, credentials: "same-origin",
      cache: "no-store", redirect: "error", signal,
    });
    text = await answer.text();
  } catch {
    throw failure("unreachable");
  }
  const { status } = answer;
  if (status === 401 || status === 403) throw failure("signed_out", true, status);
  if (status === 408 || status === 429 || status > 499) {
    throw failure("unavailable", false, status, 1000 * answer.headers.get("Retry-After") || 0);
  }
  if (!answer.ok) throw failure("refused", true, status);
  try {
    return JSON.parse(text).jwt;
  } catch {
    throw failure("malformed", true, status);
  }
}
