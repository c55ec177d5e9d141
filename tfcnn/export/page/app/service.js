// Requests to the service that sent the page: its token, and what to do while it does not answer.
//
// An image is never given up because the service is busy, gone or wants another token: the request
// waits, and is sent again.

import { addNote } from "tfcnn/notes.js";

const TRIES = 20; // while the service is busy, before a person is asked
const GONE_TRIES = 3;
const PAUSE_MS = 1000;
const BUSY = [429, 503];
const BY_A_PROXY = [502, 503, 504];
const byId = (id) => document.getElementById(id);
let token = "";
let waitsFor = null; // a promise of what a person must do; all requests wait for the same

// Show the page of the run, once there is the token if the service wants one.
export async function openService() {
  if (!document.getElementById("settings")) await haveToken(false);
}

// Return `{status, content}` of an answer that is for the caller; `options()` are those of fetch.
export async function ask(address, options, settings) {
  for (let tries = 1; ; tries++) {
    const { status, content, pauseMs } = await once(address, options());
    if (status === 401) await person(() => haveToken(true));
    else if (status === 200 && content.model_sha256 !== settings.model_sha256) await person(anotherModel);
    else if (isAnswer(status, content)) return { status, content };
    else if (tries % (status ? TRIES : GONE_TRIES)) await pause(pauseMs);
    else await person(() => again(content ? content.error : "The service does not answer."));
  }
}

const isAnswer = (status, content) => status && content && !BUSY.includes(status);
const pause = (ms) => new Promise((resume) => setTimeout(resume, ms * (1 + Math.random())));

// Return the status, 0 where there is no answer; and its JSON, null where there is none.
async function once(address, options) {
  let response;
  try {
    response = await fetch(address, { ...options, headers: headers() });
  } catch {
    return { status: 0, content: null, pauseMs: PAUSE_MS };
  }
  const seconds = Number(response.headers.get("retry-after"));
  const pauseMs = seconds ? 1000 * seconds : PAUSE_MS;
  try {
    return { status: response.status, content: await response.json(), pauseMs };
  } catch {
    const isGone = response.ok || BY_A_PROXY.includes(response.status);
    const content = isGone ? null : { error: "an answer that is no JSON" };
    return { status: isGone ? 0 : response.status, content, pauseMs };
  }
}

const headers = () => (token ? { Authorization: `Bearer ${token}` } : {});

// Wait until a person has done something; all requests wait together.
function person(act) {
  waitsFor ??= act().finally(() => (waitsFor = null));
  return waitsFor;
}

function again(why) {
  return noteWithButton(`${why} No image is lost.`, "Try again");
}

async function anotherModel() {
  await noteWithButton("The service has another model now. This table is of the earlier one.", "Load the page again");
  location.reload();
  await new Promise(() => {});
}

function noteWithButton(text, label) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
  byId("results").hidden = false;
  byId("state").textContent = text;
  const note = addNote(text);
  note.append(" ", button);
  return new Promise((done) =>
    button.addEventListener("click", () => {
      note.remove();
      byId("state").textContent = "";
      done();
    }),
  );
}

// Ask for the token until the service takes it; then show the page that it guards.
async function haveToken(isLater) {
  const form = byId("token-form");
  const say = (text) => (byId("token-text").textContent = text);
  form.hidden = false;
  say(isLater ? "The service wants another token now." : "");
  byId("token").focus();
  for (;;) {
    await new Promise((sent) => form.addEventListener("submit", (event) => sent(event.preventDefault()), { once: true }));
    token = byId("token").value.trim();
    const page = await guarded();
    if (typeof page === "string") say(page);
    else if (isLater || show(page)) break;
  }
  byId("token").value = "";
  form.hidden = true;
}

// Return the page that the service guards, or words on why there is none.
async function guarded() {
  // a header takes no other letters, and a token of the service has none
  if (!/^[\x21-\x7e]+$/.test(token)) return "This is not the token of this service.";
  try {
    const response = await fetch("v1/page", { headers: headers() });
    if (response.ok) return new DOMParser().parseFromString(await response.text(), "text/html");
    if (response.status === 401) return "This is not the token of this service.";
    return `The service answers with status ${response.status}. Try again.`;
  } catch {
    return "The service does not answer. Try again.";
  }
}

function show(page) {
  document.title = page.title;
  document.querySelector("header").replaceWith(page.querySelector("header"));
  byId("card").replaceWith(page.getElementById("card"));
  document.body.append(page.getElementById("settings"));
  byId("intake").hidden = false;
  return true;
}
