"use strict";
// Everything works without this. With it, what changes is shown as it changes, and times are told in the reader's own zone.
const times = (root) => {
  for (const time of root.querySelectorAll("time[data-at]")) {
    const at = new Date(Number(time.dataset.at) * 1000);
    time.textContent = at.toLocaleString();
    time.title = at.toISOString();
  }
};
const put = (part, text) => {
  part.innerHTML = text;
  times(part);
};
// As the browser writes it, so that what came with the page and what comes later can be compared.
const written = (text) => {
  const held = document.createElement("template");
  held.innerHTML = text;
  return held.innerHTML.trim();
};
const stream = (part) => {
  let source = null;
  const open = () => {
    source = new EventSource(part.dataset.stream);
    source.onmessage = (event) => put(part, event.data);
    source.onerror = () => {
      if (source !== null && source.readyState === EventSource.CLOSED) {
        source = null;
        document.removeEventListener("visibilitychange", turn);
        follow(part, null);
      }
    };
  };
  const turn = () => {
    // A page that nobody sees keeps no connection.
    if (document.hidden) { source?.close(); source = null; } else if (source === null) open();
  };
  document.addEventListener("visibilitychange", turn);
  turn();
};
const follow = (part, last) => {
  const look = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(part.dataset.follow, { credentials: "same-origin", redirect: "error" });
        if (answer.ok) {
          const text = written(await answer.text());
          // The server escapes everything in it, and the page's policy runs no script but this file.
          if (text !== last) {
            if ("reloadOnChange" in part.dataset && !document.querySelector("textarea:focus")) {
              location.replace(location.pathname);
              return;
            }
            put(part, text);
          }
          last = text;
        }
      } catch { /* It is tried again. */ }
    }
    setTimeout(look, 2000);
  };
  look();
};
for (const part of document.querySelectorAll("[data-follow]")) {
  // What changed between the page and the first look is a change, too.
  if ("stream" in part.dataset) stream(part); else follow(part, written(part.innerHTML));
}
times(document);
