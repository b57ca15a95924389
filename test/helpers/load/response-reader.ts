/**
 * Reads HTTP/1.1 responses off a raw connection, so that no library hides or retries anything: a response is whole
 * or it is not there.
 */
export interface RawResponse {
  status: number;
  headers: Map<string, string>;
  body: string;
  /** The server said that it closes after this one. */
  closes: boolean;
}

export class ResponseReader {
  private buffer = '';

  feed(chunk: Buffer): void {
    this.buffer += chunk.toString('latin1');
  }

  /** Bytes that no whole response has taken: part of one. */
  get pending(): boolean {
    return this.buffer !== '';
  }

  /** The next whole response, or null while it is not all there. */
  next(): RawResponse | null {
    const headEnd = this.buffer.indexOf('\r\n\r\n');
    if (headEnd < 0) return null;
    const [first = '', ...lines] = this.buffer.slice(0, headEnd).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
    if (!status) throw new Error(`not a response: ${JSON.stringify(first)}`);
    const headers = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    if (status === 100) {
      this.buffer = this.buffer.slice(headEnd + 4);
      return this.next();
    }
    const body =
      headers.get('transfer-encoding') === 'chunked'
        ? this.chunked(headEnd + 4)
        : this.counted(headEnd + 4, Number(headers.get('content-length') ?? Number.NaN));
    if (body === null) return null;
    return { status, headers, body, closes: headers.get('connection')?.toLowerCase() === 'close' };
  }

  private counted(start: number, length: number): string | null {
    if (Number.isNaN(length)) throw new Error('a response with neither length nor chunks');
    if (this.buffer.length < start + length) return null;
    const body = this.buffer.slice(start, start + length);
    this.buffer = this.buffer.slice(start + length);
    return body;
  }

  private chunked(start: number): string | null {
    let body = '';
    for (let at = start; ; ) {
      const lineEnd = this.buffer.indexOf('\r\n', at);
      if (lineEnd < 0) return null;
      const size = Number.parseInt(this.buffer.slice(at, lineEnd), 16);
      const next = lineEnd + 2 + size + 2;
      if (this.buffer.length < next) return null;
      body += this.buffer.slice(lineEnd + 2, lineEnd + 2 + size);
      at = next;
      if (size === 0) {
        this.buffer = this.buffer.slice(at);
        return body;
      }
    }
  }
}
