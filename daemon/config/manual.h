#ifndef SASLATCH_DAEMON_CONFIG_MANUAL_H_
#define SASLATCH_DAEMON_CONFIG_MANUAL_H_

#include <string>

namespace saslatch::config {

// saslatch.conf(5) in mdoc(7), written from the table of keys. docs/man/saslatch.conf.5 is a copy,
// which a test compares; bin/saslatch-conf-manual prints a new one.
std::string saslatch_conf_manual();

}  // namespace saslatch::config

#endif  // SASLATCH_DAEMON_CONFIG_MANUAL_H_
