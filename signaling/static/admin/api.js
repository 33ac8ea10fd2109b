/** The REST API as this page uses it. What is refused is an ApiError. */

export class ApiError extends Error {
  /**
   * @param {string} code of the API's problems
   * @param {string} detail
   */
  constructor(code, detail) {
    super(detail);
    this.code = code;
  }
}

export class Api {
  #key;

  /** @param {string} key `ID:SECRET`, or a token */
  constructor(key) {
    this.#key = key;
  }

  /** The one room that a token is for; null for a key. */
  get room() {
    const [, claims] = this.#key.split('.');
    if (!claims || this.#key.includes(':')) return null;
    try {
      return String(JSON.parse(atob(claims.replaceAll('-', '+').replaceAll('_', '/'))).room ?? '');
    } catch {
      return '';
    }
  }

  /** @param {string} path */
  get(path) {
    return this.#ask('GET', path);
  }

  /**
   * @param {'POST' | 'PATCH' | 'PUT' | 'DELETE'} method
   * @param {string} path
   * @param {unknown} [body]
   */
  tell(method, path, body) {
    return this.#ask(method, path, body);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @returns {Promise<any>}
   */
  async #ask(method, path, body) {
    /** @type {Record<string, string>} */
    const headers = { Authorization: `Bearer ${this.#key}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const response = await fetch(path, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
    const text = await response.text();
    const answer = text ? JSON.parse(text) : null;
    if (!response.ok) throw new ApiError(answer?.code ?? 'http', answer?.detail ?? `HTTP ${response.status}`);
    return answer;
  }
}

/** @param {...string} segments */
export function pathOf(...segments) {
  return `/v1/${segments.map(encodeURIComponent).join('/')}`;
}
