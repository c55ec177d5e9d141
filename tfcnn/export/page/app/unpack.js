// The parts of the page that are no text: boot.js unpacks them.

export const part = (name) => self.page.part(name);
