// Small things for every page: a question before what cannot be undone, and no button pressed twice.
"use strict";
document.addEventListener("submit", (event) => {
  const form = event.target;
  const question = form.dataset.ask;
  if (question && !window.confirm(question)) {
    event.preventDefault();
    return;
  }
  if (form.method === "post" && form.id !== "nop") {
    const button = event.submitter;
    window.setTimeout(() => { if (button) button.disabled = true; }, 0);
  }
});
// A live part replaces itself every few seconds: whoever reads it by keyboard or selects text in it must not be thrown out.
const live = { link: "" };
const within = (part, node) => Boolean(node) && node !== document.body && part.contains(node);
document.addEventListener("htmx:beforeRequest", (event) => {
  const selection = window.getSelection();
  if (selection && !selection.isCollapsed && within(event.target, selection.anchorNode)) event.preventDefault();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  const focused = document.activeElement;
  live.link = within(event.target, focused) ? focused.getAttribute("href") || "" : "";
});
document.addEventListener("htmx:afterSettle", () => {
  if (!live.link || document.activeElement !== document.body) return;
  const again = document.querySelector(`main a[href="${CSS.escape(live.link)}"]`);
  live.link = "";
  if (again) again.focus({ preventScroll: true });
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});
