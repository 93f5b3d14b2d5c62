"use strict";

// The page shows what the server says. Names and labels come from anywhere: they are only ever set as text.

const AT_ONCE = 4; // requests under way
const TRIES = 20; // when the server is busy
const get = (id) => document.getElementById(id);
const waiting = [];
let running = 0;
let asked = 0;
let answered = 0;

function made(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

const percent = (share) => (share * 100).toFixed(1) + " %";

function pictureOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
}

function image(base64, alt, className) {
  const element = made("img", className);
  element.alt = alt;
  element.src = pictureOf(base64);
  element.addEventListener("load", () => URL.revokeObjectURL(element.src), { once: true });
  return element;
}

// Asking the server.

async function ask(path, file) {
  for (let again = 0; ; again++) {
    let response;
    try {
      response = await fetch(path, {
        method: "POST",
        headers: { "Content-Type": "application/octet-stream", Accept: "application/json" },
        body: file,
      });
    } catch {
      throw new Error("the server does not answer: is alexnet serve still running?");
    }
    if (response.status === 503 && again < TRIES) {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      await new Promise((resume) => setTimeout(resume, 1000 * seconds * (0.5 + Math.random())));
      continue;
    }
    let told;
    try {
      told = await response.json();
    } catch {
      throw new Error(`the server answered ${response.status}`);
    }
    if (response.ok) return told;
    throw new Error((Array.isArray(told) ? told[0] : told).error);
  }
}

function next() {
  while (running < AT_ONCE && waiting.length) {
    running++;
    waiting.shift()().finally(() => {
      running--;
      next();
    });
  }
}

// A picture and its answer.

function add(files) {
  const pictures = [...files];
  if (!pictures.length) return;
  const cards = pictures.map((file) => cardFor(file));
  get("answers").prepend(...cards.map(({ element }) => element));
  get("clear").hidden = false;
  asked += pictures.length;
  tell();
  for (const card of cards) waiting.push(() => answer(card, pictures.length === 1));
  next();
}

function cardFor(file) {
  const element = get("card").content.firstElementChild.cloneNode(true);
  const name = file.name || "pasted picture";
  element.querySelector("h3").textContent = name;
  const thumb = element.querySelector(".thumb");
  thumb.alt = `The picture ${name}`;
  thumb.src = URL.createObjectURL(file);
  thumb.addEventListener("load", () => URL.revokeObjectURL(thumb.src), { once: true });
  thumb.addEventListener("error", () => { thumb.hidden = true; }, { once: true });
  return { element, file, name };
}

async function answer(card, lookToo) {
  const find = (selector) => card.element.querySelector(selector);
  try {
    const [{ top }] = await ask("/", card.file);
    find(".guesses").append(...top.map(guess));
    find(".guesses").setAttribute("aria-label", `Best classes for ${card.name}`);
    const closer = find(".closer");
    closer.hidden = false;
    closer.setAttribute("aria-label", `Look closer at ${card.name}`);
    closer.addEventListener("click", () => toggle(card, closer));
    if (!card.element.isConnected) return; // cleared away meanwhile
    answered++;
    tell(`${card.name}: ${top[0].label}, ${percent(top[0].probability)}.`);
    if (lookToo) toggle(card, closer);
  } catch (error) {
    if (!card.element.isConnected) return;
    answered++;
    find(".words").prepend(made("p", "error", error.message));
    tell(`${card.name}: ${error.message}.`);
  }
  find(".waiting").remove();
}

function guess({ label, probability }) {
  const row = made("li", "guess");
  const track = made("div", "track");
  const bar = made("div", "bar");
  bar.style.width = `${probability * 100}%`;
  track.append(bar);
  track.setAttribute("aria-hidden", "true");
  row.append(made("span", "label", label), made("span", "percent", percent(probability)), track);
  return row;
}

function tell(last = "") {
  const progress = answered < asked ? `${answered} of ${asked} answered. ` : asked > 1 ? `All ${asked} answered. ` : "";
  get("status").textContent = progress + last;
}

// What stands behind an answer.

async function toggle(card, button) {
  const look = card.element.querySelector(".look");
  look.hidden = !look.hidden;
  button.setAttribute("aria-expanded", String(!look.hidden));
  button.textContent = look.hidden ? "Look closer" : "Show less";
  if (look.hidden || look.childElementCount) return;
  look.append(made("p", "waiting", "Looking closer …"));
  try {
    look.replaceChildren(...lookParts(await ask("/look", card.file)));
  } catch (error) {
    look.replaceChildren(made("p", "error", error.message));
  }
}

function figure(picture, caption) {
  const element = made("figure");
  element.append(picture, made("figcaption", "", caption));
  return element;
}

function listed(className, items) {
  const list = made("ul", className);
  for (const item of items) {
    const row = made("li");
    row.append(item);
    list.append(row);
  }
  return list;
}

function lookParts({ seen, importance, maps, neighbors }) {
  const { label, probability, least } = importance;
  const mattered = made("p", "note");
  mattered.append(
    made("span", "key for"), ` speaks for “${label}”, `, made("span", "key against"), " against it. Measured by covering "
    + "one part after another with that of the mean training picture. "
    + (least < probability ? `Covering the part that counts most takes “${label}” from ${percent(probability)} to ${percent(least)}.`
      : "Covering no part takes anything away."));
  const parts = [
    made("h4", "", "What mattered"),
    listed("pictures", [
      figure(image(seen, "The part that the network sees", "large"), "What the network sees"),
      figure(image(importance.picture, `The same in grey; what mattered for ${label} is coloured`, "large"),
        "The same, coloured"),
    ]),
    mattered,
  ];
  if (neighbors) {
    parts.push(
      made("h4", "", "Nearest training pictures"),
      listed("pictures", neighbors.map((one) => {
        const element = figure(image(one.picture, `A training picture of ${one.label}`, ""),
          `${one.label}, ${one.distance.toFixed(1)}`);
        element.className = "near";
        element.title = one.name;
        return element;
      })),
      made("p", "note", "By the distance between what the last hidden layer gives for them and for this picture."));
  } else {
    parts.push(
      made("h4", "", "Nearest training pictures"),
      made("p", "note", "Not at hand; the terminal that runs alexnet serve says why."));
  }
  if (maps.length) {
    parts.push(
      made("h4", "", "What the first filters saw"),
      listed("maps", maps.map(pair)),
      made("p", "note", `The ${maps.length} filters of the first layer that answered most, each beside its map: bright `
        + "where it answered. Each map has its own scale."));
  }
  return parts;
}

function pair({ filter, kernel, map }) {
  const images = made("div", "pair");
  if (kernel) images.append(image(kernel, `Kernel of filter ${filter}`, "kernel"));
  images.append(image(map, `Map of filter ${filter}`, "map"));
  const element = made("figure");
  element.append(images, made("figcaption", "", `filter ${filter}`));
  return element;
}

// Ways to give a picture.

function picturesOf(transfer) {
  return [...transfer.files].filter((file) => !file.type || file.type.startsWith("image/"));
}

function refuse(transfer) {
  get("status").textContent = transfer.files.length ? "That is no picture." : "That holds no picture file; save it first.";
}

get("files").addEventListener("change", (event) => {
  add(event.target.files);
  event.target.value = "";
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  get("drop").classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) get("drop").classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  get("drop").classList.remove("over");
  const pictures = picturesOf(event.dataTransfer);
  if (pictures.length) add(pictures);
  else refuse(event.dataTransfer);
});
addEventListener("paste", (event) => {
  const pictures = picturesOf(event.clipboardData);
  if (pictures.length) add(pictures);
  else refuse(event.clipboardData);
});
get("clear").addEventListener("click", () => {
  waiting.length = 0;
  asked = answered = 0;
  get("answers").replaceChildren();
  get("clear").hidden = true;
  tell();
  get("files").focus();
});

const video = get("video");
let stream = null;
get("camera").addEventListener("click", async () => {
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    get("status").textContent = error.name === "NotAllowedError" ? "The browser does not allow the camera." : "No camera was found.";
    return;
  }
  video.srcObject = stream;
  get("camera-dialog").showModal();
});
get("shoot").addEventListener("click", () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  get("camera-dialog").close();
  canvas.toBlob((blob) => add([new File([blob], "camera", { type: blob.type })]), "image/jpeg", 0.95);
});
get("close-camera").addEventListener("click", () => get("camera-dialog").close());
get("camera-dialog").addEventListener("close", () => {
  if (stream) stream.getTracks().forEach((track) => track.stop());
  video.srcObject = stream = null;
});
// Browsers lend the camera to this machine's own pages and to https alone.
get("camera").hidden = !navigator.mediaDevices;

fetch("/", { headers: { Accept: "application/json" } }).then((response) => response.json()).then((about) => {
  get("name").textContent = about.name;
  document.title = `${about.name} – alexnet`;
  const many = about.classes.length;
  const some = about.classes.slice(0, 10).join(", ") + (many > 10 ? " …" : "");
  get("about").textContent = `A network of the kind “${about.network}”, ${about.side} pixels wide; it knows ${many} classes: ${some}.`;
});
get("curl").textContent =
  `curl -H 'Content-Type: application/octet-stream' --data-binary @cat.jpg ${location.origin}/`;
