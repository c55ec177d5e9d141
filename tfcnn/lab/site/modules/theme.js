// Light or dark: as the device asks, or as the reader last chose.

const KEY = "tfcnn-lab-theme";
const root = document.documentElement;
const wish = matchMedia("(prefers-color-scheme: dark)");

// Return whether the page is dark now.
export const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : wish.matches);

// Call `draw` whenever the colours change: a canvas does not know of it.
export function onTheme(draw) {
  wish.addEventListener("change", draw);
  root.addEventListener("theme", draw);
}

// Return a colour of the page by its name, such as "blue".
export const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a browser may keep nothing for files
  }
}

function store(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    return; // the choice holds for this page
  }
}

function set(theme) {
  if (theme) root.dataset.theme = theme;
  button.textContent = isDark() ? "Light" : "Dark";
  button.setAttribute("aria-label", `${button.textContent} colours`);
  root.dispatchEvent(new Event("theme"));
}

const button = document.getElementById("theme");
button.hidden = false;
button.addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  store(theme);
  set(theme);
});
wish.addEventListener("change", () => set());
set(stored());
const contents = document.getElementById("contents");
const isNarrow = matchMedia("(max-width: 60rem)");
const fold = () => (contents.open = !isNarrow.matches);
isNarrow.addEventListener("change", fold);
fold();
