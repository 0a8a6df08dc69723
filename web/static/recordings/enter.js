// The page of somebody whose cookie is not there: the link's token, in the fragment, becomes one, and the page opens.
const TRIED = "parvis recordings tried";

/** @param {string} token @returns {Promise<string>} what is wrong, "" when nothing is */
async function enter(token) {
  const visit = location.pathname.split("/")[2];
  const answer = await fetch(`/v/${visit}/enter`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ link: token }),
  });
  return answer.ok ? "" : (await answer.json()).text;
}

async function start() {
  const token = location.hash.slice(1);
  if (token) {
    const wrong = await enter(token);
    const problem = document.getElementById("problem");
    if (wrong && problem) {
      problem.textContent = wrong;
      problem.hidden = false;
      return;
    }
  } else if (sessionStorage.getItem(TRIED)) {
    return;
  } else {
    // Whoever comes by a link in a letter may hold the cookie, which browsers keep back on the way from elsewhere.
    sessionStorage.setItem(TRIED, "1");
  }
  location.replace(location.pathname); // from here, so with the cookie, and without the token in the address
}

void start();

export {};
