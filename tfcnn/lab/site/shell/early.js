try {
  const theme = localStorage.getItem("tfcnn-lab-theme"); // before anything is painted
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // a browser may keep nothing for files
}
