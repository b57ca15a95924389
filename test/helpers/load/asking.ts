/** Connections to fixtures/numbered-app that a test asks by hand, one request after the other. */
import { onTestFinished } from '../side-by-side.js';
import { Connection } from './client.js';

export interface Answer {
  pid: number;
  generation: number;
  body: string;
  /** The server said that it closes after this one. */
  closes: boolean;
}

export async function openConnection(port: number): Promise<Connection> {
  const connection = await Connection.open({ port });
  if (typeof connection === 'string') throw new Error(connection);
  onTestFinished(() => connection.end());
  return connection;
}

export const openConnections = (port: number, count: number): Promise<Connection[]> =>
  Promise.all(Array.from({ length: count }, () => openConnection(port)));

export const request = (path = '/by-hand/0'): string => `GET ${path} HTTP/1.1\r\nHost: app\r\n\r\n`;

export function ask(connection: Connection, path?: string): Promise<Answer> {
  connection.socket.write(request(path));
  return answerOn(connection);
}

/** To what has been written already. */
export async function answerOn(connection: Connection): Promise<Answer> {
  const response = await connection.response();
  if (typeof response === 'string') throw new Error(`no answer: ${response}`);
  return {
    pid: Number(response.headers.get('x-pid')),
    generation: Number(response.headers.get('x-generation')),
    body: response.body,
    closes: response.closes,
  };
}
