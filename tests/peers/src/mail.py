"""A mail server (aiosmtpd) that a test holds by its stdin and hears by its stdout, a line of JSON each. It ends with its stdin."""
import asyncio, email, email.policy, json, logging, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

options = json.loads(sys.argv[1])
# Clients that hang up are what tests are about.
logging.disable(logging.CRITICAL)
faults = []


def say(**what):
    print(json.dumps(what), flush=True)


def fault(at):
    """The next fault, if it happens here."""
    return faults.pop(0) if faults and faults[0]["at"] == at else None


class Handler:
    async def meet(self, at, server):
        found = fault(at)
        if found is None:
            return None
        say(fault=at)
        if "reply" in found:
            return found["reply"]
        if "slow" in found:
            await asyncio.sleep(found["slow"])
            return None
        server.transport.abort()
        return "421 gone"

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        refused = await self.meet("mail", server)
        if refused is None:
            envelope.mail_from = address
        return refused or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        refused = await self.meet("rcpt", server)
        if refused is None:
            envelope.rcpt_tos.append(address)
        return refused or "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if not (faults and faults[0]["at"] == "data" and "reply" in faults[0]):
            self.take(session, envelope)
        return await self.meet("data", server) or "250 2.0.0 queued"

    def take(self, session, envelope):
        raw = envelope.original_content
        message = email.message_from_bytes(raw, policy=email.policy.default)
        say(letter={
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "helo": session.host_name, "tls": session.ssl is not None,
            "user": session.auth_data.decode() if session.auth_data else None, "raw": raw.decode("latin-1"),
            "headers": [[name, str(value)] for name, value in message.items()], "text": message.get_content(),
            "defects": [repr(defect) for part in message.walk() for defect in part.defects]})


def authenticate(server, session, envelope, mechanism, data):
    refused = fault("auth")
    if refused:
        say(fault="auth")
        return AuthResult(success=False, handled=False, message=refused["reply"])
    good = [data.login.decode(), data.password.decode()] == options["login"]
    return AuthResult(success=good, handled=False, auth_data=data.login)


def tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options["certificate"], options["key"])
    return context


async def main():
    loop = asyncio.get_running_loop()
    kind = options["tls"]
    login = options["login"]

    def session():
        return SMTP(
            Handler(), hostname="mail.test", ident="test", loop=loop, data_size_limit=1 << 20,
            tls_context=tls() if kind == "starttls" else None, require_starttls=kind == "starttls",
            authenticator=authenticate if login else None, auth_required=bool(login), auth_require_tls=kind == "starttls")

    server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls() if kind == "tls" else None)
    say(port=server.sockets[0].getsockname()[1])
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        faults.append(json.loads(line))
        say(noted=True)


asyncio.run(main())
