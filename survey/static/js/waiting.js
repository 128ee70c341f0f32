// A page that waits for long work has a link to look again. With this it looks by itself: what is done is put in place
// every few seconds, and in the end the whole page, without a jump. A hidden page waits until it is seen again.

const WAITS = "[data-waits]";
const PAUSE = 5000;

const put = (place, fresh) => place.replaceChildren(...fresh.childNodes);

const again = () => setTimeout(look, PAUSE);

const look = async () => {
  if (document.hidden) return again();
  try {
    const answer = await fetch(location.href);
    // Whoever is signed out meanwhile is led to the sign-in.
    if (answer.redirected) return location.assign(answer.url);
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector(WAITS);
      if (!fresh) return put(document.querySelector("main"), page.querySelector("main"));
      put(document.querySelector(WAITS), fresh);
    }
  } catch {
    // The server cannot be reached right now. The next time it may.
  }
  again();
};

if (document.querySelector(WAITS)) again();
