/** Runs in the page. The few ways in which it is built: text is always set as text, and only what differs is written. */
import { plainText } from './pure/plain-text.js';

/** @throws where index.html has no such element, which is a mistake in it */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element #${id}`);
  return found as T;
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = '',
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  for (const child of children) element.append(typeof child === 'string' ? plainText(child) : child);
  return element;
}

/** A button that submits no form. */
export function makeButton(text: string, act: () => void, className = ''): HTMLButtonElement {
  const button = make('button', className, text);
  button.type = 'button';
  button.addEventListener('click', act);
  return button;
}

/** Names and messages of an app may be anything: they become text that shows what it is. */
export function setText(element: Element, text: string): void {
  const plain = plainText(text);
  if (element.textContent !== plain) element.textContent = plain;
}

export function setAttribute(element: Element, name: string, value: string | null): void {
  if (value === null) element.removeAttribute(name);
  else {
    const plain = plainText(value);
    if (element.getAttribute(name) !== plain) element.setAttribute(name, plain);
  }
}

export function setHidden(element: HTMLElement, hidden: boolean): void {
  if (element.hidden !== hidden) element.hidden = hidden;
}
