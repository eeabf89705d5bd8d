//! Whole stories on real hosts: sshd and PostgreSQL of the lab, commands typed into the chat, figures of the writer.
