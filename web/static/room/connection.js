// The signaling WebSocket: joins, resumes after a loss, numbers what it received (docs/protocol.md). No DOM.

const FIRST_RETRY_MS = 300;
const LAST_RETRY_MS = 4000;
const GIVE_UP_MS = 40000;
const PING_MS = 5000;
const SILENCE_MS = 20000;

export class Connection extends EventTarget {
  /** @param {{link: string, name: string, language: string}} who */
  constructor(who) {
    super();
    this.who = who;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {{session: string, secret: string} | null} */
    this.session = null;
    this.last = 0;
    this.over = false;
    this.retryMs = FIRST_RETRY_MS;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.retry = undefined;
    this.lostAt = 0;
    this.pings = 0;
    this.heardAt = 0;
    setInterval(() => this.ping(), PING_MS);
    // A network that is back is tried at once.
    addEventListener("online", () => this.lostAt && this.open());
  }

  ping() {
    const socket = this.socket;
    if (socket?.readyState === WebSocket.OPEN && performance.now() - this.heardAt > SILENCE_MS) {
      // The other side is gone and nobody said so: waiting for the close would take minutes.
      socket.onclose = null;
      socket.close();
      this.lost(socket);
    } else this.send({ type: "ping", n: ++this.pings });
  }

  open() {
    clearTimeout(this.retry);
    if (this.over || (this.socket && this.socket.readyState <= WebSocket.OPEN)) return;
    const address = new URL("/signal", location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.socket = new WebSocket(address));
    socket.onopen = () => {
      this.retryMs = FIRST_RETRY_MS;
      this.lostAt = 0;
      this.heardAt = performance.now();
      socket.send(
        JSON.stringify(
          this.session
            ? { type: "resume", session: this.session.session, secret: this.session.secret, last: this.last }
            : { type: "join", link: this.who.link, name: this.who.name, language: this.who.language },
        ),
      );
    };
    socket.onmessage = (event) => {
      this.heardAt = performance.now();
      this.receive(JSON.parse(event.data));
    };
    socket.onclose = () => this.lost(socket);
  }

  /** @param {Protocol.ToServer} message */
  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN && (this.session || message.type === "join")) {
      this.socket.send(JSON.stringify(message));
    }
  }

  /** @param {Protocol.FromServer} message */
  receive(message) {
    if (message.type === "welcome") {
      this.session = { session: message.session, secret: message.secret };
      this.last = message.n;
    } else if ("n" in message && message.type !== "resumed") {
      if (message.n <= this.last) return;
      this.last = message.n;
    }
    if (message.type === "error" && message.code === "resume_failed") {
      this.session = null;
      this.last = 0;
      return;
    }
    if (message.type === "ended" || (message.type === "error" && message.fatal)) this.over = true;
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  /** @param {WebSocket} socket */
  lost(socket) {
    if (this.over || socket !== this.socket) return;
    this.lostAt ||= Date.now();
    this.dispatchEvent(new CustomEvent("lost"));
    if (Date.now() - this.lostAt > GIVE_UP_MS) this.session = null;
    this.retry = setTimeout(() => this.open(), this.retryMs);
    this.retryMs = Math.min(LAST_RETRY_MS, this.retryMs * 2);
  }

  close() {
    this.send({ type: "leave" });
    this.over = true;
    this.socket?.close();
  }
}
