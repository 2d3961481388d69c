// What stands in place of an object that the server does not have.

import type { RequestError } from "../model/request";
import { link } from "../model/route";
import { Empty } from "../part/layout";

export function Missing({ what, view, error }: { what: string; view: string; error: RequestError }) {
  return (
    <div class="scroll">
      <Empty title={error.status === 404 ? `${what} is not known` : `${what} cannot be read`}>
        {error.message}
        {error.nearest.length > 0 && (
          <>
            {" "}
            Similar:{" "}
            {error.nearest.map((name, index) => (
              <>
                {index > 0 && ", "}
                <a href={link(view, name)}>{name}</a>
              </>
            ))}
          </>
        )}
      </Empty>
    </div>
  );
}
