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
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});
