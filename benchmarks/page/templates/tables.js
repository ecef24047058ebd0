// Sorts tables by the buttons in their heads.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const value = (row, column) => row.cells[column].dataset.sort;
  const sortBy = (head, column) => {
    const isNumber = head.classList.contains("numeric");
    const before = head.getAttribute("aria-sort");
    const after = before === "none" ? (isNumber ? "descending" : "ascending")
      : before === "descending" ? "ascending" : "descending";
    const sign = after === "ascending" ? 1 : -1;
    const compare = (a, b) => isNumber ? a - b : a.localeCompare(b, "en", { numeric: true });
    const rows = [...body.rows].sort((a, b) => sign * compare(value(a, column), value(b, column)));
    heads.forEach((other) => other.setAttribute("aria-sort", other === head ? after : "none"));
    body.append(...rows);
  };
  heads.forEach((head, column) =>
    head.firstElementChild.addEventListener("click", () => sortBy(head, column)));
}
