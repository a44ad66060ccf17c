// Handing in with a progress bar. Without this script the form works all the same.
"use strict";
(() => {
  const form = document.getElementById("nop");
  if (!form) return;
  const input = form.querySelector("input[type=file]");
  const drop = document.getElementById("tha");
  const chosen = document.getElementById("da-chon");
  const sending = document.getElementById("dang-gui");
  const say = sending.querySelector(".say");
  const bar = sending.querySelector("progress");
  const refusal = document.getElementById("tu-choi");
  const button = document.getElementById("nut-nop");
  const limit = Number(form.dataset.limit);
  let request = null;

  const megabytes = (bytes) => (bytes / 1e6).toFixed(1).replace(".", ",") + " MB";

  function refuse(message, code) {
    refusal.querySelector(".why").textContent = message;
    refusal.querySelector(".which").textContent = code;
    refusal.hidden = false;
    refusal.scrollIntoView({ block: "nearest" });
  }

  function rest() {
    sending.hidden = true;
    button.disabled = false;
    input.disabled = false;
    request = null;
  }

  function show() {
    const file = input.files[0];
    chosen.hidden = !file;
    if (file) chosen.textContent = file.name + " · " + megabytes(file.size);
    refusal.hidden = true;
    if (file && file.size > limit) refuse(form.dataset.tooLarge, "FILE_TOO_LARGE");
  }

  input.addEventListener("change", show);
  ["dragenter", "dragover"].forEach((name) => drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("is-over");
  }));
  ["dragleave", "drop"].forEach((name) => drop.addEventListener(name, () => drop.classList.remove("is-over")));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (request) return;
    if (event.dataTransfer.files.length > 1) {
      refuse(form.dataset.several, "SEVERAL_FILES");
      return;
    }
    input.files = event.dataTransfer.files;
    show();
  });

  form.addEventListener("submit", (event) => {
    const file = input.files[0];
    if (!file) return; // the server says what is missing
    event.preventDefault();
    if (request) return;
    if (file.size > limit) {
      refuse(form.dataset.tooLarge, "FILE_TOO_LARGE");
      return;
    }
    send(new FormData(form));
  });

  function send(body) {
    refusal.hidden = true;
    sending.hidden = false;
    button.disabled = true;
    input.disabled = true;
    bar.value = 0;
    request = new XMLHttpRequest();
    request.open("POST", form.getAttribute("action") || window.location.pathname);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      const share = Math.floor((100 * event.loaded) / event.total);
      bar.value = share;
      say.textContent = event.loaded < event.total
        ? form.dataset.sending + ": " + share + " % (" + megabytes(event.loaded) + " / " + megabytes(event.total) + ")"
        : form.dataset.storing;
    });
    request.addEventListener("load", () => answered(request));
    request.addEventListener("error", () => { rest(); refuse(form.dataset.broken, "CONNECTION_BROKEN"); });
    request.addEventListener("abort", rest);
    request.send(body);
  }

  function answered(done) {
    let answer = null;
    try {
      answer = JSON.parse(done.responseText);
    } catch (error) {
      answer = null;
    }
    if (answer && answer.next) {
      window.location.assign(answer.next);
      return;
    }
    rest();
    if (answer && answer.message) refuse(answer.message, answer.code);
    else if (done.responseURL && done.status < 400) window.location.assign(done.responseURL);
    else refuse(form.dataset.broken, "HTTP_" + done.status);
  }

  document.getElementById("dung").addEventListener("click", () => { if (request) request.abort(); });
  window.addEventListener("beforeunload", (event) => { if (request && bar.value < 100) event.preventDefault(); });
})();
