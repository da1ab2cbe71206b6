"use strict";
// The page is whole without this: it adds the evidence on hover, and the filters. Text goes in as text, never as markup.
const matrix = document.querySelector(".matrix");
if (matrix) {
  const looks = JSON.parse(document.getElementById("looks").textContent);
  const columns = JSON.parse(document.getElementById("columns").textContent);
  const rows = [...matrix.tBodies[0].rows];
  const heads = [...matrix.tHead.rows[0].cells].slice(1);
  const tip = document.getElementById("tip");
  const pressed = new Set();

  const label = ([first, last]) => (first === last ? `tcp/${first}` : `tcp/${first}-${last}`);

  matrix.addEventListener("mouseover", (event) => {
    const cell = event.target.closest("td[data-l]");
    tip.hidden = !cell;
    if (!cell) return;
    const row = cell.parentElement;
    const at = columns[cell.cellIndex - 1];
    tip.textContent = `${row.cells[0].textContent}  ${label(at)}\n${looks[cell.dataset.l]}`;
  });
  matrix.addEventListener("mouseleave", () => { tip.hidden = true; });
  matrix.addEventListener("mousemove", (event) => {
    const box = tip.getBoundingClientRect();
    const left = Math.min(event.clientX + 14, innerWidth - box.width - 8);
    const under = event.clientY + 18 + box.height < innerHeight;
    tip.style.left = `${Math.max(left, 8)}px`;
    tip.style.top = `${under ? event.clientY + 18 : event.clientY - box.height - 10}px`;
  });

  // A number or a range such as 80 or 8000-8100 chooses columns, any other word chooses rows.
  function choose() {
    const words = document.getElementById("filter").value.toLowerCase().split(/[\s,]+/).filter(Boolean);
    const ports = words.filter((word) => /^\d+(-\d+)?$/.test(word)).map((word) => word.split("-").map(Number));
    const texts = words.filter((word) => !/^\d+(-\d+)?$/.test(word));
    const shown = columns.map(([first, last]) =>
      !ports.length || ports.some(([low, high]) => first <= (high ?? low) && last >= low));
    heads.forEach((head, index) => { head.hidden = !shown[index]; });
    for (const row of rows) {
      row.hidden = !texts.every((text) => row.dataset.t.includes(text));
      if (!row.hidden) [...row.cells].forEach((cell, index) => { cell.hidden = index > 0 && !shown[index - 1]; });
    }
  }
  document.getElementById("filter").addEventListener("input", choose);

  for (const button of document.querySelectorAll(".tools button")) {
    button.addEventListener("click", () => {
      const cause = button.dataset.c;
      if (!pressed.delete(cause)) pressed.add(cause);
      button.setAttribute("aria-pressed", pressed.has(cause));
      matrix.classList.toggle("dim", pressed.size > 0);
      for (const cell of matrix.querySelectorAll("td")) {
        cell.classList.toggle("match", [...pressed].some((each) => cell.classList.contains(each)));
      }
    });
  }
  document.getElementById("tools").hidden = false;
}
