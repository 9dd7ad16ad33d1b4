const { host, expires } = document.body.dataset;
const days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const SVG = "http://www.w3.org/2000/svg";
const EARLY = 5000; // before the end, a new token is asked for
let jwt = location.pathname.split("/")[2];
let end = Date.parse(expires);
let asked = 0;
let loading = false;

const make = (name, attributes) => {
  const e = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  document.getElementById("chart").append(e);
  return e;
};
make("line", { x1: 10, x2: 690, y1: 170, y2: 170 });
const bars = days.map((day, i) => {
  make("text", { x: 60 + i * 97, y: 198, "text-anchor": "middle" }).textContent = day;
  return {
    bar: make("rect", { x: 28 + i * 97, width: 64, rx: 5, y: 170, height: 0 }),
    value: make("text", { x: 60 + i * 97, y: 160, "text-anchor": "middle", class: "value" }),
  };
});

function tell(message) {
  parent.postMessage(message, host);
}

async function load() {
  if (loading) return;
  loading = true;
  const used = jwt;
  let answer, body;
  try {
    answer = await fetch("/data", { headers: { "Embed-Token": used }, cache: "no-store", credentials: "omit" });
    body = await answer.json();
  } catch {
    loading = false;
    return; // the next one may get through
  }
  if (answer.status === 403 && used === jwt) {
    location.replace(`/iframe/${jwt}/demo`); // which says why; nothing more is loaded here
    return;
  }
  loading = false;
  if (!answer.ok) return;
  const { sales, expires: until } = body;
  end = Date.parse(until);
  sales.forEach((sold, i) => {
    const { bar, value } = bars[i], height = sold * 1.6;
    bar.setAttribute("height", height);
    bar.setAttribute("y", 170 - height);
    value.setAttribute("y", 162 - height);
    value.textContent = sold;
  });
  tell({ event: "demoShows", state: "shown" });
}

addEventListener("message", ({ source, origin, data }) => {
  if (source !== parent || origin !== host || data?.event !== "updateCustomerJwt") return;
  jwt = data.detail.jwt;
  asked = 0;
  history.replaceState(null, "", `/iframe/${jwt}/demo`);
  load();
});

function look() {
  const left = end - Date.now();
  if (left < EARLY && Date.now() - asked > 3000) {
    asked = Date.now();
    tell({ event: "customerJwtExpired" });
  }
  const seconds = Math.max(0, Math.ceil(left / 1000));
  document.getElementById("left").value = seconds;
  document.getElementById("seconds").textContent = `${seconds} s`;
}
setInterval(look, 250);
setInterval(load, 1000);
look();
load();
