const { module, origin: right, dashboard } = document.body.dataset;
const { keepAlive } = await import(module);
const by = (id) => document.getElementById(id);
const frame = by("embed");
const opened = Date.now();
let keeper = null, renewed = 0, shown = false;

function note(text) {
  const line = document.createElement("li");
  line.textContent = `${new Date().toLocaleTimeString("en-GB")}  ${text}`;
  by("log").prepend(line);
  while (by("log").children.length > 8) by("log").lastChild.remove();
}
function state(name, text) {
  document.body.dataset.state = name;
  by("state").textContent = text;
}

function start() {
  keeper = keepAlive(frame, { renew: "/embed-token", origin: dashboard });
}
// What a button does stands beside it, also when it is pressed and does the opposite.
const words = {
  renewing: [["Stop renewing", by("renewing-does").textContent], ["Renew again", "A new token is asked for at once, and the dashboard comes back."]],
  session: [["Revoke and sign out", by("session-does").textContent], ["Sign in again", "Tokens can be had again, from the second after the revocation on."]],
};
function press(id, pressed) {
  const [name, does] = words[id][Number(pressed)];
  by(id).textContent = name;
  by(id).setAttribute("aria-pressed", String(pressed));
  by(`${id}-does`).textContent = does;
}
if (frame) {
  frame.addEventListener("embedseal:renewed", () => {
    by("renewed").textContent = String(++renewed);
    note("a new token was given to the dashboard");
  });
  frame.addEventListener("embedseal:failed", ({ detail: { reason } }) => {
    state("failed", `no new token: ${reason}`);
    note(`there is no new token: ${reason}`);
  });
  start();
} else {
  state("out", "signed out");
  note("the page was loaded without a session");
  press("session", true);
  by("renewing").disabled = true;
}

// What the dashboard says of itself; it is this demo's own, and no part of the protocol.
addEventListener("message", ({ source, origin, data }) => {
  if (source !== frame?.contentWindow || origin !== dashboard || data?.event !== "demoShows") return;
  shown = true;
  if (document.body.dataset.state !== data.state) note(data.state === "shown" ? "the dashboard is shown" : `the dashboard is not shown: ${data.state}`);
  state(data.state, data.state === "shown" ? "shown" : `not shown: ${data.state}`);
});
by("here").textContent = location.origin;
if (location.origin !== right) {
  by("elsewhere").href = `${right}/`;
  by("elsewhere").textContent = "Go to the right origin";
  by("why").textContent = "The one that the token is for: there the dashboard is shown.";
}
setTimeout(() => {
  if (shown || !frame || location.origin === right) return;
  by("wrong").textContent = location.origin;
  by("refused").hidden = false;
  frame.hidden = true;
  keeper?.stop();
  by("renewing").disabled = by("session").disabled = true; // there is nothing here that they could change
  state("refused", "refused by the browser");
  note("the browser did not show the dashboard");
}, 1500);
setInterval(() => { by("open").textContent = `${Math.round((Date.now() - opened) / 1000)} s`; }, 500);

by("renewing").addEventListener("click", ({ currentTarget: button }) => {
  const stop = keeper !== null;
  if (stop) {
    keeper.stop();
    keeper = null;
    note("renewing is stopped");
  } else {
    start();
    keeper.renew();
    note("renewing again");
  }
  press(button.id, stop);
});
by("session").addEventListener("click", async ({ currentTarget: button }) => {
  const out = button.getAttribute("aria-pressed") === "false";
  button.disabled = true;
  try {
    const answer = await fetch(out ? "/sign-out" : "/sign-in", { method: "POST" });
    if (!answer.ok) throw new Error(String(answer.status));
    note(out ? "every token of the customer is revoked, and the session ended" : "signed in again");
    if (!frame) {
      location.reload();
      return;
    }
    press(button.id, out);
    if (!out) keeper?.renew();
  } catch (e) {
    note(`that did not work: ${e.message}`);
  } finally {
    button.disabled = false;
    button.focus();
  }
});
