"""What the panel's tests run in the page."""

from __future__ import annotations

#: Notes each notification that the browser is asked to show. Chromium's headless shell shows none, and so permits none:
#: the page finds them allowed.
RECORD = """() => {
    const Real = window.Notification;
    window.told = [];
    window.Notification = class extends Real {
        static get permission() {
            return 'granted';
        }
        constructor(title, options) {
            super(title, options);
            window.told.push({ title, body: options.body, shown: this });
        }
    };
}"""
HIDE = """(hidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event('visibilitychange'));
}"""
TO_FRONT = "(id) => window.jupyterapp.shell.activateById(id)"
#: Presses the active cell's button until it adds a certain line; an edited setting is taken over after a moment.
LINE_IS = """(line) => {
    const toggle = () => void window.jupyterapp.commands.execute('lambdamagic:toggle-cell');
    const source = () => window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.getSource();
    toggle();
    if (!source().startsWith('%%lambda')) {
        toggle();
    }
    return source().split('\\n')[0] === line;
}"""
#: Whether each badge stands below its own cell's number and covers no number, and no cell's code.
BADGES_APART = """() => {
    const box = (node) => {
        const range = document.createRange();
        range.selectNodeContents(node);
        return range.getBoundingClientRect();
    };
    const numbers = [...document.querySelectorAll('.jp-InputArea-prompt, .jp-OutputArea-prompt')].map(box);
    const others = [...numbers, ...[...document.querySelectorAll('.jp-InputArea-editor')].map(box)];
    const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    return [...document.querySelectorAll('.lm-badge')].every((badge) => {
        const own = badge.getBoundingClientRect();
        const number = box(badge.parentElement.querySelector('.jp-InputArea-prompt'));
        return own.width && own.top - number.bottom < 12 && !others.some((other) => other.width && meet(own, other));
    });
}"""
