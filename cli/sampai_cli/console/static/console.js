"use strict";
// Updates the parts of the page that have data-live. Nodes that stay the same are left alone, and with them the focus,
// the selection and the scroll position.

const seconds = Number(document.body.dataset.refresh);
const problem = document.getElementById("problem");
const pause = document.getElementById("pause");
let isPaused = false;

function merge(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
  [...fresh.childNodes].forEach((child, index) => {
    const here = old.childNodes[index];
    const known = child.id ? [...old.children].find((each) => each.id === child.id) : !here?.id && here;
    if (!known || known.nodeName !== child.nodeName) {
      old.insertBefore(document.importNode(child, true), here ?? null);
      return;
    }
    if (known !== here) old.insertBefore(known, here ?? null);
    merge(known, child);
  });
  while (old.childNodes.length > fresh.childNodes.length) old.lastChild.remove();
}

function show(sentence) {
  if (problem.textContent !== sentence) problem.textContent = sentence;
  problem.hidden = !sentence;
}

async function update() {
  const answer = await fetch(location.href, { cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok) {
    show(document.getElementById("sentence") ? "" : fresh.getElementById("sentence").textContent);
    return;
  }
  if (document.getElementById("sentence")) {
    location.reload();
    return;
  }
  const focused = document.activeElement?.id;
  for (const part of document.querySelectorAll("[data-live]")) merge(part, fresh.getElementById(part.id));
  if (focused && document.activeElement?.id !== focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
  show("");
}

async function loop() {
  if (!isPaused && !document.hidden) {
    await update().catch(() => show("The console does not answer. Start it again: sampai console."));
  }
  setTimeout(loop, 1000 * seconds);
}

if (seconds) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
  });
  setTimeout(loop, 1000 * seconds);
}
