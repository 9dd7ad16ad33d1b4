const { host, reason } = document.body.dataset;
const ask = () => parent.postMessage({ event: "customerJwtExpired" }, host);

addEventListener("message", ({ source, origin, data }) => {
  if (source === parent && origin === host && data?.event === "updateCustomerJwt") {
    location.replace(`/iframe/${data.detail.jwt}/demo`);
  }
});
document.getElementById("again").addEventListener("click", ask);
if (parent !== window) {
  parent.postMessage({ event: "demoShows", state: reason }, host);
  ask();
}
