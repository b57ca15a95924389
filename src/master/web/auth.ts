/** Runs in the master. Who may see the page and steer the app: whoever knows the token, or has the cookie that it was exchanged for. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** In a time that says nothing of where they differ, nor of how long they are. */
const isSame = (given: string, digested: Buffer): boolean => timingSafeEqual(digest(given), digested);

export class Auth {
  private readonly token: Buffer;
  private readonly session: Buffer;
  /** For the browser: not the token, which other ports of this host would be sent along with it. */
  readonly cookie: string;

  /** @param cookieName browsers tell the ports of a host apart by nothing else */
  constructor(
    token: string,
    private readonly cookieName: string,
  ) {
    this.token = digest(token);
    const session = createHmac('sha256', token).update(`session of ${cookieName}`).digest('base64url');
    this.session = digest(session);
    this.cookie = `${cookieName}=${session}; Path=/; HttpOnly; SameSite=Strict`;
  }

  isToken(given: string): boolean {
    return isSame(given, this.token);
  }

  /** @returns by what it may; null: it may not */
  admits({
    authorization,
    cookie,
  }: {
    authorization?: string | undefined;
    cookie?: string | undefined;
  }): 'bearer' | 'cookie' | null {
    const bearer = /^Bearer +([^\s]+)$/i.exec(authorization ?? '')?.[1];
    if (bearer !== undefined && this.isToken(bearer)) return 'bearer';
    // There may be several of one name: what else listens on this host can set one for a longer path, which then comes first.
    const start = `${this.cookieName}=`;
    const given = (cookie ?? '').split(';').map((part) => part.trim());
    const isIn = given.some((part) => part.startsWith(start) && isSame(part.slice(start.length), this.session));
    return isIn ? 'cookie' : null;
  }
}
