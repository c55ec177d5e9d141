// The first script of a page of the lab: it links the modules that the page holds, and starts the
// page's own, `page/main.js`.

async function boot() {
  const addresses = link(JSON.parse(document.getElementById("modules").textContent));
  self.page = { addresses };
  await import(addresses["lab/theme.js"]);
  if (addresses["page/main.js"]) await import(addresses["page/main.js"]);
  document.documentElement.dataset.ready = "yes";
}

boot().catch((error) => {
  const note = document.getElementById("trouble");
  note.hidden = false;
  note.textContent = `This page cannot run here: ${error.message}. Try a current Chrome, Edge, Firefox or Safari.`;
});
