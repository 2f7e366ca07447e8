// The control API: one function for queries, one for actions, one for the event stream.

export class Refused extends Error {
  constructor(body) {
    super(body.message || "The playground refused this.");
    this.code = body.code;
    this.errors = body.errors ?? null;
  }

  /** The message for one field of a form, if the refusal is about that field. */
  about(name) {
    return this.errors?.options?.[name]?._errors?.[0]?.message ?? this.errors?.values?.[name]?._errors?.[0]?.message;
  }

  /** All messages, with the names of the fields. */
  sentences() {
    const found = [];
    const walk = (node, path) => {
      for (const error of node?._errors ?? []) found.push(path ? `${path}: ${error.message}` : error.message);
      for (const [key, child] of Object.entries(node ?? {})) if (key !== "_errors") walk(child, key);
    };
    walk(this.errors, "");
    return found.length ? found.join(" ") : this.message;
  }
}

/** Send a request to the stand-in; if it has ended, throw that like any other refusal. */
async function reach(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch {
    throw new Refused({ message: "The playground has stopped. Start it again with make run." });
  }
  const body = await response.json();
  if (!response.ok) throw new Refused(body);
  return body;
}

export async function ask(name, query = {}) {
  return reach(`/control/${name}?${new URLSearchParams(query)}`);
}

/** Act as a member; `files` maps field names to File objects. */
export async function act(name, body, files = {}) {
  if (!Object.keys(files).length) {
    const headers = { "Content-Type": "application/json" };
    return reach(`/control/${name}`, { method: "POST", headers, body: JSON.stringify(body) });
  }
  const form = new FormData();
  form.append("json", JSON.stringify(body));
  for (const [field, file] of Object.entries(files)) form.append(field, file, file.name || "picture.png");
  return reach(`/control/${name}`, { method: "POST", body: form });
}

/** Follow the events after number `after`; `lost` and `back` report the state of the connection. */
export function listen(after, { event, lost, back }) {
  const source = new EventSource(`/control/stream?after=${after}`);
  source.onmessage = (message) => {
    const { kind, data } = JSON.parse(message.data);
    event(kind, data);
  };
  source.onerror = () => lost();
  source.onopen = () => back();
}
