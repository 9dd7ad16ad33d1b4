// Tests of assets/keepalive.js without a browser: node --test, with KEEPALIVE
// naming the module. What a browser adds is in keepalive_page_test.go.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const { keepAlive } = await import(pathToFileURL(process.env.KEEPALIVE));

const TOKEN = "eyJhbGciOiJkaXIifQ..AAAA.BBBB.CCCC";
const ORIGIN = "https://dash.example";
const quick = { backoff: 1, timeout: 200 };
const until = async (condition) => {
  for (let i = 0; i < 400 && !condition(); i++) await new Promise((done) => setTimeout(done, 5));
  assert.ok(condition(), String(condition));
};
const a_while = (ms = 40) => new Promise((done) => setTimeout(done, ms));

/** A page with one frame, and what comes out of it. */
function page(answers = []) {
  const posted = [], events = [], asked = [];
  const view = new EventTarget();
  Object.assign(view, {
    CustomEvent, location: { origin: "https://host.example" },
    fetch: async (url, options) => {
      asked.push({ url: String(url), ...options, at: Date.now() });
      const next = answers.length > 1 ? answers.shift() : answers[0];
      return typeof next === "function" ? next(options) : next.clone();
    },
  });
  const frame = new EventTarget();
  Object.assign(frame, {
    src: `${ORIGIN}/iframe/x/y`, ownerDocument: { defaultView: view, baseURI: "https://host.example/app/" },
    contentWindow: { postMessage: (data, origin) => posted.push({ data, origin }) },
  });
  for (const name of ["renewed", "failed"]) {
    frame.addEventListener(`embedseal:${name}`, (e) => events.push({ name, bubbles: e.bubbles, ...e.detail }));
  }
  const say = (data, { source = frame.contentWindow, origin = ORIGIN } = {}) =>
    view.dispatchEvent(Object.assign(new Event("message"), { data, source, origin }));
  return { frame, view, posted, events, asked, say, announce: (from) => say({ event: "customerJwtExpired" }, from) };
}
const json = (body, init) => new Response(typeof body === "string" ? body : JSON.stringify(body), init);
const good = () => json({ success: 1, jwt: TOKEN });

test("an announcement is answered with the documented message, to the exact origin", async () => {
  const p = page([good()]);
  const keeper = keepAlive(p.frame, { renew: "/embed-token", ...quick });
  p.announce();
  await until(() => p.events.length);
  assert.deepEqual(p.posted, [{ data: { event: "updateCustomerJwt", detail: { jwt: TOKEN } }, origin: ORIGIN }]);
  assert.deepEqual(p.events, [{ name: "renewed", bubbles: true, attempts: 1 }]);
  const [{ url, method, credentials, cache, redirect }] = p.asked;
  assert.deepEqual({ url, method, credentials, cache, redirect }, {
    url: "https://host.example/embed-token", method: "POST", credentials: "same-origin", cache: "no-store", redirect: "error",
  });
  keeper.stop();
});

test("only the exact frame and the exact origin are heard", async () => {
  const p = page([good()]);
  const keeper = keepAlive(p.frame, { renew: "/t", ...quick });
  p.announce({ source: {} });
  p.announce({ source: null });
  for (const origin of ["http://dash.example", "https://dash.example.evil.example", "https://dash.example:8443", "https://DASH.example", "null", ""]) {
    p.announce({ origin });
  }
  for (const data of [null, undefined, 0, "customerJwtExpired", [], {}, { event: "customerJwtExpire" }, { event: ["customerJwtExpired"] }, { type: "customerJwtExpired" }]) {
    p.say(data);
  }
  p.frame.contentWindow = null; // a removed frame has none, and neither has a message from nowhere
  p.announce({ source: null });
  await a_while();
  assert.equal(p.asked.length, 0);
  keeper.stop();
});

test("an origin that is given is compared and posted to in its normal form", async () => {
  const p = page([good()]);
  const keeper = keepAlive(p.frame, { renew: "/t", origin: "https://Other.example:443/", ...quick });
  p.announce();
  p.announce({ origin: "https://other.example" });
  await until(() => p.events.length);
  assert.equal(p.posted[0].origin, "https://other.example");
  assert.equal(p.asked.length, 1);
  keeper.stop();
});

test("many announcements make one request", async () => {
  let answer;
  const p = page([() => new Promise((done) => { answer = done; })]);
  const keeper = keepAlive(p.frame, { renew: "/t", ...quick, timeout: 5000 });
  for (let i = 0; i < 50; i++) p.announce();
  const both = Promise.all([keeper.renew(), keeper.renew()]);
  await until(() => answer);
  for (let i = 0; i < 50; i++) p.announce();
  answer(good());
  assert.deepEqual(await both, [true, true]);
  assert.equal(p.asked.length, 1);
  assert.equal(p.posted.length, 1);
  keeper.stop();
});

test("a frame that never stops announcing is answered once a second", async () => {
  const p = page([good()]);
  const keeper = keepAlive(p.frame, { renew: "/t", ...quick });
  const timer = setInterval(() => p.announce(), 5);
  await a_while(1500);
  clearInterval(timer);
  assert.equal(p.asked.length, 2);
  assert.ok(p.asked[1].at - p.asked[0].at >= 990, `${p.asked[1].at - p.asked[0].at} ms`);
  keeper.stop();
});

test("it tries again after what may pass, with growing pauses and jitter", async () => {
  for (let round = 0; round < 3; round++) {
    const p = page([json("", { status: 503 }), () => { throw new TypeError("network"); }, json("", { status: 429 }), good()]);
    const keeper = keepAlive(p.frame, { renew: "/t", timeout: 500, backoff: 40 });
    p.announce();
    await until(() => p.events.length);
    assert.deepEqual(p.events, [{ name: "renewed", bubbles: true, attempts: 4 }]);
    for (let n = 1; n < 4; n++) {
      const pause = p.asked[n].at - p.asked[n - 1].at, whole = 40 * 2 ** (n - 1);
      assert.ok(pause >= whole / 2 - 2 && pause <= whole + 150, `pause ${n} of ${pause} ms`);
    }
    keeper.stop();
  }
});

test("the pauses differ, and none is longer than the longest", async () => {
  const random = Math.random, timeout = globalThis.setTimeout, waits = [];
  globalThis.setTimeout = (done, ms, ...rest) => { waits.push(ms); return timeout(done, Math.min(ms, 1), ...rest); };
  try {
    for (const fixed of [0, 0.5, 0.999]) {
      Math.random = () => fixed;
      const p = page([json("", { status: 500 })]);
      const keeper = keepAlive(p.frame, { renew: async () => { throw new Error("no"); }, backoff: 1000, longest: 3000, timeout: 7 });
      assert.equal(await keeper.renew(), false);
    }
  } finally {
    Math.random = random;
    globalThis.setTimeout = timeout;
  }
  const pauses = waits.filter((ms) => ms >= 500);
  assert.deepEqual(pauses.slice(0, 5), [500, 1000, 2000, 3000, 3000]);
  assert.deepEqual(pauses.slice(5, 10), [750, 1500, 3000, 3000, 3000]);
  assert.deepEqual(pauses.slice(10, 13).map(Math.round), [1000, 1999, 3000]);
});

test("Retry-After is kept to, within the longest pause", async () => {
  const p = page([json("", { status: 429, headers: { "Retry-After": "3600" } }), good()]);
  const keeper = keepAlive(p.frame, { renew: "/t", backoff: 1, longest: 100 });
  p.announce();
  await until(() => p.events.length);
  const pause = p.asked[1].at - p.asked[0].at;
  assert.ok(pause >= 98 && pause < 400, `${pause} ms`);
  keeper.stop();
});

test("a clock that is set back does not hold the next renewal up", async (t) => {
  const p = page([good()]);
  const keeper = keepAlive(p.frame, { renew: "/t", ...quick });
  assert.equal(await keeper.renew(), true);
  const { now } = Date;
  t.after(() => {
    Date.now = now;
    keeper.stop();
  });
  Date.now = () => now() - 3_600_000;
  await a_while(1000);
  p.announce();
  await until(() => p.events.length === 2);
});

test("it gives up, and says why", async () => {
  for (const [answer, reason, status, attempts] of [
    [json("", { status: 401 }), "signed_out", 401, 1],
    [json("", { status: 403 }), "signed_out", 403, 1],
    [json("", { status: 404 }), "refused", 404, 1],
    [json("", { status: 422 }), "refused", 422, 1],
    [json("<html>"), "malformed", 200, 1],
    [json("null"), "malformed", 200, 1],
    [json({}), "malformed", 0, 1],
    [json({ jwt: 7 }), "malformed", 0, 1],
    [json({ jwt: "" }), "malformed", 0, 1],
    [json({ jwt: "a.b.c" }), "malformed", 0, 1],
    [json({ jwt: `${TOKEN}\n` }), "malformed", 0, 1],
    [json("", { status: 503 }), "unavailable", 503, 3],
    [json("", { status: 408 }), "unavailable", 408, 3],
    [() => { throw new TypeError("failed to fetch"); }, "unreachable", 0, 3],
    [() => new Promise(() => {}), "timeout", 0, 3],
  ]) {
    const p = page([answer]);
    const keeper = keepAlive(p.frame, { renew: "/t", attempts: 3, backoff: 1, timeout: 30 });
    assert.equal(await keeper.renew(), false);
    assert.deepEqual(p.events, [{ name: "failed", bubbles: true, reason, status, attempts }]);
    assert.equal(p.asked.length, attempts);
    assert.equal(p.posted.length, 0);
    keeper.stop();
  }
});

test("after it gave up, the next announcement begins anew", async () => {
  const p = page([json("", { status: 401 }), good()]);
  const keeper = keepAlive(p.frame, { renew: "/t", ...quick });
  p.announce();
  await until(() => p.events.length === 1);
  p.announce();
  await until(() => p.events.length === 2);
  assert.deepEqual(p.events.map((e) => e.name), ["failed", "renewed"]);
  keeper.stop();
});

test("a function gets the token, with a signal that ends with its time", async () => {
  const p = page();
  let signal;
  const keeper = keepAlive(p.frame, { renew: (s) => { signal = s; return new Promise(() => {}); }, attempts: 1, timeout: 20 });
  assert.equal(await keeper.renew(), false);
  assert.equal(p.events[0].reason, "timeout");
  assert.equal(signal.aborted, true);
  keeper.stop();

  const other = page();
  const second = keepAlive(other.frame, { renew: async () => TOKEN });
  assert.equal(await second.renew(), true);
  assert.equal(other.posted[0].data.detail.jwt, TOKEN);
  second.stop();
});

test("whatever a function throws is a failure with a reason", async () => {
  for (const [thrown, reason, attempts] of [
    [undefined, "error", 2], [null, "error", 2], ["text", "error", 2], [new Error("x"), "error", 2],
    [Object.assign(new Error("x"), { reason: "signed_out", final: true }), "signed_out", 1],
  ]) {
    for (const renew of [() => { throw thrown; }, async () => { throw thrown; }]) {
      const p = page();
      const keeper = keepAlive(p.frame, { renew, attempts: 2, backoff: 1 });
      assert.equal(await keeper.renew(), false);
      assert.deepEqual(p.events, [{ name: "failed", bubbles: true, reason, status: 0, attempts }]);
      keeper.stop();
    }
  }
});

test("a frame that is gone gets nothing", async () => {
  const p = page([good()]);
  const keeper = keepAlive(p.frame, { renew: "/t", ...quick });
  p.frame.contentWindow = null;
  assert.equal(await keeper.renew(), false);
  assert.equal(p.events[0].reason, "gone");
  keeper.stop();
});

test("stopped, it is silent: while it asks, while it pauses, and afterwards", async () => {
  let signal, answer;
  const asking = page([(options) => { signal = options.signal; return new Promise((done) => { answer = done; }); }]);
  const first = keepAlive(asking.frame, { renew: "/t", timeout: 5000 });
  const asked = first.renew();
  await until(() => signal);
  first.stop();
  assert.equal(await asked, false);
  assert.equal(signal.aborted, true);
  answer(good());
  asking.announce();

  const pausing = page([json("", { status: 503 })]);
  const second = keepAlive(pausing.frame, { renew: "/t", backoff: 60_000, longest: 60_000 });
  const paused = second.renew();
  await until(() => pausing.asked.length);
  await a_while();
  second.stop();
  assert.equal(await paused, false);

  const idle = page([good()]);
  const third = keepAlive(idle.frame, { renew: "/t" });
  third.stop();
  third.stop();
  idle.announce();
  assert.equal(await third.renew(), false);
  await a_while();
  for (const p of [asking, pausing, idle]) {
    assert.deepEqual(p.events, []);
    assert.deepEqual(p.posted, []);
  }
  assert.equal(asking.asked.length + pausing.asked.length + idle.asked.length, 2);
});

test("what cannot work is refused at once", () => {
  for (const [change, options] of [
    [{}, {}],
    [{}, { renew: "" }],
    [{}, { renew: "https://elsewhere.example/t" }],
    [{}, { renew: "//elsewhere.example/t" }],
    [{}, { renew: "javascript:0" }],
    [{ src: "" }, { renew: "/t" }],
    [{ src: "about:blank" }, { renew: "/t" }],
    [{ src: "data:text/html,x" }, { renew: "/t" }],
    [{}, { renew: "/t", origin: "*" }],
    [{}, { renew: "/t", origin: "null" }],
  ]) {
    const p = page();
    Object.assign(p.frame, change);
    assert.throws(() => keepAlive(p.frame, options), TypeError, JSON.stringify([change, options]));
  }
});
