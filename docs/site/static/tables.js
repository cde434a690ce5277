// Tables that are wider than their page can be scrolled by keyboard too; those that fit are no stop on the way.

const mark = () => {
  for (const wrapper of document.querySelectorAll(".table-wrapper")) {
    if (wrapper.scrollWidth > wrapper.clientWidth) wrapper.setAttribute("tabindex", "0");
    else wrapper.removeAttribute("tabindex");
  }
};

mark();
addEventListener("resize", mark);
