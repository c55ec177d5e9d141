// A file that cannot be read as an image; `reason` says why, and what to do about it.
export class Unreadable extends Error {
  constructor(what, hint = "fetching or saving it again") {
    super(`${what}; try ${hint}`);
    this.reason = this.message;
  }
}

// A row without an answer.
export const NOTHING = { predicted: "", probs: null, decision: "", reason: "", remark: "" };

export const unreadable = (path, reason) => ({ ...NOTHING, path, flag: "unreadable", reason });
