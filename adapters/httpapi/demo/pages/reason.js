const { host, reason } = document.body.dataset;
const ask = () => parent.postMessage({ event: "customerJwtExpired" }, host);

addEventListener("message", ({ source, origin, data }) => {
  if (source === parent && origin === host && data?.event === "updateCustomerJwt") {
    location.replace(`/iframe/${data.detail.jwt}/demo`);
  }
});
document.getElementById("again").addEventListener("click", ({ currentTarget: button }) => {
  const came = document.getElementById("came");
  button.disabled = true;
  came.textContent = "The page was asked for a new token.";
  ask();
  setTimeout(() => { // a token would have replaced this page
    button.disabled = false;
    came.textContent = "The page gave no new token.";
  }, 3000);
});
if (parent !== window) {
  parent.postMessage({ event: "demoShows", state: reason }, host);
  ask();
}
