// What the editor asks the counter.

let csrf = "";

async function token() {
  csrf = (await (await fetch("/api/session")).json()).csrf;
  return csrf;
}

/** The rules of a camera as they are saved. */
export const opened = (camera) => answered(fetch(address("", camera)));

/** `check`, `try` or `save` rules; gives `status` and what was answered. */
export async function ask(what, camera, body) {
  const send = (number) => fetch(address(`/${what}`, camera), {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": number },
    body: JSON.stringify(body),
  });
  try {
    let answer = await send(csrf || await token());
    if (answer.status === 403) answer = await send(await token()); // it was started again
    return await answered(answer);
  } catch {
    return { status: 0, text: "Nobody answers: is it still running?" };
  }
}

const address = (path, camera) => `/api/edit${path}?camera=${encodeURIComponent(camera)}`;

async function answered(coming) {
  const answer = await coming;
  if (answer.status === 401) location.reload(); // the session has ended: log in
  const isJson = /json/.test(answer.headers.get("content-type") || "");
  const body = isJson ? await answer.json() : { text: (await answer.text()).slice(0, 200) };
  return { ...body, status: answer.status };
}
