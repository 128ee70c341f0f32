// The rater's page works without this. With it: what is left stays in view, and text fields grow and say how much
// still fits. Nothing leaves the page, and nothing is ever blocked. Hints about words are in hints.js.

const TWICE = 10_000; // milliseconds within which a second press of a button sends nothing: the first is on its way

const form = document.querySelector("[data-answers]");
const problem = document.querySelector("[data-focus]");

if (problem) problem.focus();
if (form) {
  const groups = [...form.querySelectorAll("[data-rated]")];
  const left = [...form.querySelectorAll("[data-left]")];
  const rail = form.querySelector("[data-rail]");

  const count = () => {
    const open = groups.filter((group) => !group.querySelector("input:checked"));
    const answered = groups.length - open.length;
    for (const place of left) {
      if (place.tagName === "SPAN") place.textContent = open.length ? ` · ${open.length} left` : "";
    }
    const words = `${answered} of ${groups.length} rated`;
    rail.querySelector("progress").value = answered;
    rail.querySelector("span").textContent = words;
    const end = left.find((place) => place.tagName === "P");
    end.textContent = open.length ? `${words}. ` : `${words}. Ready to send.`;
    if (open.length) {
      const link = document.createElement("a");
      link.href = `#${open[0].id}`;
      link.textContent = "Go to the next one";
      end.append(link);
    }
    rail.hidden = end.hidden = false;
  };
  form.addEventListener("change", (event) => {
    const gap = event.target.closest(".has-gap");
    if (gap) {
      gap.classList.remove("has-gap");
      gap.removeAttribute("aria-invalid");
      gap.removeAttribute("aria-describedby");
      gap.querySelector(".error").remove();
    }
    count();
  });
  let sentAt = -TWICE;
  form.addEventListener("submit", (event) => {
    if (event.timeStamp - sentAt < TWICE) event.preventDefault();
    else sentAt = event.timeStamp;
  });
  window.addEventListener("pageshow", () => {
    sentAt = -TWICE;
    count();
  });
  count();
}

for (const field of document.querySelectorAll("textarea[aria-describedby]")) {
  const hint = document.getElementById(field.getAttribute("aria-describedby"));
  const limit = Number(field.dataset.limit || Infinity);
  const grows = !CSS.supports("field-sizing", "content");

  const look = () => {
    const room = limit - field.value.length;
    const words = [];
    if (room < 0) words.push(`${-room} characters too many.`);
    else if (room < 300) words.push(`${room} characters left.`);
    const said = words.join(" ");
    if (hint.textContent !== said) hint.textContent = said;
    if (grows) {
      field.style.height = "auto";
      field.style.height = `${field.scrollHeight + 2}px`;
    }
  };
  field.addEventListener("input", look);
  look();
}
