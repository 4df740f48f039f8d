#ifndef SASLATCH_DAEMON_CLI_EXIT_CODE_H_
#define SASLATCH_DAEMON_CLI_EXIT_CODE_H_

namespace saslatch::cli {

// What `saslatch` exits with: the names and values of sysexits.h. A script may rely on them; each
// command's page in saslatch(8) says when it uses which.
enum class ExitCode {
  kOk = 0,
  kUsage = 64,        // the command line is wrong
  kBadData = 65,      // the input is: a name, a hash, an import file, a subject
  kUnreachable = 69,  // no daemon answers on the socket
  kInternal = 70,     // a fault of saslatch itself
  kCantCreate = 73,   // exists already, or a file could not be made
  kTemporary = 75,    // try again later
  kPermission = 77,   // not allowed; `test`: the login was refused
  kConfig = 78,       // the configuration is wrong; `doctor`: a check failed
};

constexpr int to_int(ExitCode code) { return static_cast<int>(code); }

}  // namespace saslatch::cli

#endif  // SASLATCH_DAEMON_CLI_EXIT_CODE_H_
