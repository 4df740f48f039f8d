#include "daemon/config/manual.h"

#include <string_view>

#include "daemon/config/keys.h"

namespace saslatch::config {
namespace {

// When the text below or a key last changed.
constexpr std::string_view kDate = "November 22, 2026";

// Text as mdoc(7) takes it: each sentence on a line of its own, and nothing read as a request.
std::string running_text(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool line_begins = out.empty() || out.back() == '\n';
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '"') {
      out += "\\(dq";
    } else if (c == ' ' && i > 0 && text[i - 1] == '.') {
      out += '\n';
    } else {
      out += c;
    }
  }
  return out;
}

// An argument of a macro: one word, whatever is in it.
std::string argument(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '"') {
      out += "\\(dq";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void write_key(const KeyInfo& key, std::string& out) {
  out += ".It Ic " + key.name + "\n" + running_text(key.help) + "\n.br\n";
  if (!key.drivers.empty()) {
    out += "Only with driver =";
    for (const std::string& driver : key.drivers) out += ' ' + running_text(driver);
    out += ".\n";
  }
  out += "Accepted: " + running_text(key.accepts) + ".\n";
  if (key.required) {
    out += "Required.\n";
  } else if (key.default_value.empty()) {
    out += "Default: nothing.\n";
  } else {
    out += "Default:\n.Li " + argument(key.default_value) + " .\n";
  }
}

void write_section(const SectionInfo& section, std::string& out) {
  out += ".Ss " + argument("[" + section.name + (section.named ? ".NAME]" : "]")) + "\n";
  out += running_text(section.help) + "\n.Bl -tag -width Ds\n";
  for (const KeyInfo& key : section.keys) write_key(key, out);
  out += ".El\n";
}

constexpr std::string_view kHead = R"(.Dt SASLATCH.CONF 5
.Os
.Sh NAME
.Nm saslatch.conf
.Nd configuration of the saslatch authentication daemon
.Sh DESCRIPTION
.Xr saslatchd 8
reads
.Pa /etc/saslatch/saslatch.conf
at start and again at SIGHUP or
.Ic saslatch reload .
An empty file is a whole configuration.
A file with a mistake is not used:
at start the daemon exits with 78, and at a reload the old one stays in force.
.Ic saslatchd \-\-check
reports every mistake with its line, and
.Ic saslatchd \-\-dump\-config
prints every key with its value and its default.
.Ss Format
A line is
.Li "[SECTION]" ,
.Li "KEY = VALUE" ,
empty, or a comment that begins with # or ;.
A # or ; after a blank begins a comment behind a value.
A key or a named section that is there twice is a mistake.
NAME is made of letters, digits, \- and _.
.Ss Values
A duration is a number and a unit: ms, s, m, h or d.
A limit such as
.Li 10/10m
is the tenth event inside ten minutes.
Lists are separated by blanks or commas.
)";

constexpr std::string_view kTail = R"(.Sh FILES
.Bl -tag -width Ds
.It Pa /etc/saslatch/saslatch.conf
The configuration.
.It Pa /var/lib/saslatch
The state directory.
.It Pa /run/saslatch
The run directory, with the sockets.
.El
.Sh EXAMPLES
One Postfix on the same machine:
.Bd -literal -offset indent
[listen.postfix]
protocol = dovecot
socket   = /var/spool/postfix/private/saslatch
owner    = postfix
group    = postfix
.Ed
.Pp
The default preset, with one rule changed and one turned off:
.Bd -literal -offset indent
[policy]
preset = small-site

[rule.guess-account]
limit = 20/10m

[rule.guess-address]
enabled = no
.Ed
.Sh SEE ALSO
.Xr saslatch-policy 7 ,
.Xr saslatch 8 ,
.Xr saslatchd 8
)";

}  // namespace

std::string saslatch_conf_manual() {
  std::string out =
      ".\\\" Made by saslatch-conf-manual out of daemon/config/keys.cc; do not edit.\n.Dd ";
  out += kDate;
  out += '\n';
  out += kHead;
  out += ".Sh SECTIONS AND KEYS\n";
  for (const SectionInfo& section : key_table()) write_section(section, out);
  out += kTail;
  return out;
}

}  // namespace saslatch::config
