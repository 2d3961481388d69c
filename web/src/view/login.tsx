// The form for the admin token. The server keeps the session in a cookie that scripts cannot read.

import { useState } from "preact/hooks";
import { logIn } from "../model/request";
import { events } from "../model/store";

export function Login() {
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  return (
    <main class="login">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const token = String(new FormData(event.currentTarget).get("token") ?? "").trim();
          setBusy(true);
          void logIn(token).then((reason) => {
            setBusy(false);
            setError(reason ?? "");
            if (reason === null) events().retry();
          });
        }}
      >
        <svg viewBox="0 0 32 32" width="40" height="40" aria-hidden="true" class="logo">
          <rect width="32" height="32" rx="9" />
          <path d="M7 22c9 0 6-12 18-12M7 22c9 0 9 3 18 3" />
        </svg>
        <h1>steerway</h1>
        <p>This server needs its admin token: the content of the file in the setting <code>admin_token_file</code>.</p>
        <label>
          <span>Admin token</span>
          <input name="token" type="password" autocomplete="current-password" required autofocus aria-describedby={error ? "login-error" : undefined} aria-invalid={error ? true : undefined} />
        </label>
        {error && <p id="login-error" role="alert" class="t-error">{error}</p>}
        <button type="submit" class="button button-main" disabled={busy}>
          Log in
        </button>
      </form>
    </main>
  );
}
