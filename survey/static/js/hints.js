// Hints before sending: what in a text may tell who wrote it, or whom it is about. Everything happens in this page.
// Nothing is sent, kept or blocked, and without this file the page works the same.

const LETTER = "\\p{L}\\p{M}";
const WHOLE = (pattern, flags = "giu") => new RegExp(`(?<![${LETTER}\\d])(?:${pattern})(?![${LETTER}\\d])`, flags);

const ADDRESS = /[^\s@<>()]+@[^\s@<>()]+\.[^\s@<>().,;:!?]{2,}/uy;
const WORD = /[^\s@<>()]+/gu;

const TOLD = "told|said|mentioned|wrote|explained|asked|showed|warned|suggested|reported|noted|pointed out";
const PHRASE = WHOLE(
  [
    `(?:as|like|what|when) (?:I|we)(?:['’]ve| have| had)?(?: already| just| often)? (?:${TOLD})(?: (?:to )?you)?`,
    `(?:I|we)(?:['’]ve| have| had)?(?: already| just| once)? (?:told|asked|showed|warned|wrote(?: to)?|said to) you`,
    "(?:when|since|as|after) (?:we|you and I) (?:last )?(?:talked|spoke|met|discussed|paired|worked)",
    "as (?:we )?discussed", "as you (?:may |will |might )?(?:know|remember|recall)", "you (?:may |will |might )?remember (?:that|when|how)",
    "(?:in|at|during) (?:our|my) (?:last |weekly )?(?:1:1|1-on-1|one-on-one|one to one|chat|talk|call|meeting)s?",
  ].join("|"),
);

const MONTH = "January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec";
const DAY = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday";
const MOMENT = WHOLE(
  [
    `(?:last |next |this |on |every )?(?:${DAY})s?(?: (?:morning|afternoon|evening|night))?`,
    `\\d{1,2}(?:st|nd|rd|th|\\.)? (?:of )?(?:${MONTH})\\.?(?: \\d{4})?`,
    `(?:${MONTH})\\.? \\d{1,2}(?:st|nd|rd|th)?(?:,? \\d{4})?`,
    "\\d{4}-\\d{2}-\\d{2}", "\\d{1,2}[./]\\d{1,2}[./]\\d{2,4}",
    "(?:[01]?\\d|2[0-3]):[0-5]\\d(?: ?[ap]\\.?m\\.?)?", "(?:1[0-2]|0?[1-9]) ?[ap]\\.?m\\.?",
    "yesterday|this morning|last (?:night|week|month)|the day before",
    `(?:last|since|in|until|early|late|mid) (?:${MONTH})(?: \\d{4})?`,
  ].join("|"),
);

// Words that are written large and are nobody's name. The page's own words come on top.
const NO_NAME = new Set(
  (
    `${MONTH}|${DAY}|English|German|French|Spanish|Indian|American|European|Europe|Internet|Christmas|Easter|Agile|` +
    "Scrum|Kanban|Slack|Jira|Confluence|Teams|Zoom|Python|Java|Kotlin|Rust|Ruby|Swift|Docker|Kubernetes|Linux|Windows|Azure|" +
    "Google|Amazon|Microsoft|Postgres|Redis|Kafka|Terraform|Grafana|Prometheus|Jenkins|Android|Apple|Excel|Word|Git|Level|" +
    "He|She|They|We|You|It|Who|This|That|These|Those|There|Everyone|Everybody|Someone|Somebody|Nobody|Anyone|People|" +
    "Customers|Others|One|Nothing|Something|What|Which|Never|Always|Then|Please|Thanks|Also|But|And|So|The|An|My|Our|Your|His|" +
    "Her|Its|Their|If|When|While|Because|Although|For|With|After|Before|Since|Not|Just|Even|More|Most|Some|Many|Management|" +
    "Support|Product|Engineering|Sales|Marketing|Design|Security|Operations|Legal|Finance|Leadership"
  ).split("|"),
);
const NAME = "(?:\\p{Lu}['’])?\\p{Lu}\\p{Ll}+(?:[-'’]\\p{Lu}\\p{Ll}+)*";
const CAPITALISED = new RegExp(`(?<![${LETTER}\\d_/@.#'’])${NAME}(?![${LETTER}\\d_])`, "gu");
const MENTION = /(?<![\p{L}\d_./])@[\p{L}][\p{L}\d_-]*/gu;
const BEGIN = /(?:^|[.!?:;…\n•–—("“„‘*-])\s*$/u;
// At the start of a sentence any word is written large; there, what follows tells a person.
const PERSON_FOLLOWS = new RegExp(
  `^(?:['’]s (?:idea|team|help|advice|question|work|code|review)|,? (?:and|or) (?:I|me|${NAME})(?![${LETTER}])| ` +
    `(?:${TOLD}|says|tells|asks|thinks|thought|knows|knew|agrees|agreed|helped|helps|left|joined|always|never)(?![${LETTER}]))`,
  "u",
);
const TOO_MANY = 0.3; // of the words inside sentences: then the language writes other words large too

const WHY = {
  address: "An e-mail address tells who is meant, or who you are.",
  name: "A name can show whose circle these words come from; often it can be left out.",
  phrase: "Whoever was in that conversation will know who wrote this.",
  moment: "A day or an hour can show who was there.",
};

/**
 * What in `text` may tell who wrote it: one entry per kind, in reading order of kinds.
 *
 * `expected` are words that stand on the page anyway (the subject's name, the questions): they are no hint.
 * Gives a list of {kind, found, why}; `found` holds up to three examples.
 */
export function hintsIn(text, expected = []) {
  const known = new Set(expected.flatMap((words) => words.match(/[\p{L}\p{M}]+/gu) ?? []));
  const [address, rest] = addresses(text);
  const found = {
    address,
    name: names(rest, known),
    phrase: matches(text, PHRASE),
    moment: matches(text, MOMENT),
  };
  return Object.keys(WHY)
    .filter((kind) => found[kind].length)
    .map((kind) => ({ kind, found: [...new Set(found[kind])].slice(0, 3), why: WHY[kind] }));
}

/**
 * The e-mail addresses in `text`, and the text without them.
 *
 * One is looked for where a word begins and where the last one ended: nowhere else can one begin, and to look at each
 * letter of a long text without blanks takes the square of its time.
 */
function addresses(text) {
  const found = [];
  let rest = "";
  let kept = 0;
  let at = 0;
  while (at < text.length) {
    ADDRESS.lastIndex = WORD.lastIndex = at;
    const match = ADDRESS.exec(text);
    if (match) {
      found.push(match[0].trim());
      rest += `${text.slice(kept, at)} `;
      at = kept = ADDRESS.lastIndex;
      continue;
    }
    const word = WORD.exec(text);
    if (!word) break;
    at = word.index > at ? word.index : WORD.lastIndex;
  }
  return [found, rest + text.slice(kept)];
}

function matches(text, pattern) {
  return [...text.matchAll(pattern)].map((match) => match[0].trim());
}

function names(text, known) {
  const isName = (word) => !NO_NAME.has(word) && !known.has(word) && word.split(/[-'’]/u).every((part) => !known.has(part));
  const inside = [];
  const opening = [];
  for (const match of text.matchAll(CAPITALISED)) {
    const word = match[0];
    if (!isName(word)) continue;
    const follows = text.slice(match.index + word.length);
    if (!BEGIN.test(text.slice(Math.max(0, match.index - 20), match.index))) inside.push(word);
    else if (PERSON_FOLLOWS.test(follows) || isFullName(follows, isName)) opening.push(word);
  }
  const words = text.match(/[\p{L}\p{M}]+/gu) ?? [];
  if (words.length > 6 && inside.length / words.length > TOO_MANY) return matches(text, MENTION);
  return [...opening, ...inside, ...matches(text, MENTION)];
}

function isFullName(follows, isName) {
  const next = follows.match(new RegExp(`^ (${NAME})(?![${LETTER}])`, "u"));
  return next !== null && isName(next[1]);
}

const PAUSE = 700; // milliseconds without a key before anything is said

if (typeof document !== "undefined") {
  const form = document.querySelector("[data-hints]");
  const expected = [...document.querySelectorAll("h1, h2, h3, summary + *, .question, [data-hints]")].map(
    (place) => place.dataset.hints ?? place.textContent,
  );
  for (const field of form?.querySelectorAll("textarea") ?? []) {
    const place = form.querySelector(`[data-care="${CSS.escape(field.id)}"]`);
    let pause;
    const look = () => {
      clearTimeout(pause);
      show(place, hintsIn(field.value, expected));
    };
    field.addEventListener("input", () => {
      clearTimeout(pause);
      pause = setTimeout(look, PAUSE);
    });
    field.addEventListener("change", look);
    if (field.value) look();
  }
}

function show(place, hints) {
  const said = hints.map(({ found, why }) => [found.map((words) => `“${words}”`).join(", "), why]);
  const key = JSON.stringify(said);
  if (place.dataset.said === key) return;
  place.dataset.said = key;
  place.replaceChildren(
    ...said.map(([words, why]) => {
      const line = document.createElement("p");
      const quoted = document.createElement("strong");
      quoted.textContent = words;
      line.append(quoted, ` ${why}`);
      return line;
    }),
  );
  if (!said.length) return;
  const end = document.createElement("p");
  end.textContent = "Only a hint, made in your browser. Nothing is blocked, and nothing of it is sent.";
  place.append(end);
}
