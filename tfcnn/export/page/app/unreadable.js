// A file that cannot be read as an image; `reason` says why, and what to do about it.
export class Unreadable extends Error {
  constructor(what, hint = "fetching or saving it again") {
    super(`${what}; try ${hint}`);
    this.reason = this.message;
  }
}
