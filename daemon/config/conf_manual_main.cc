#include <cstdio>

#include "daemon/config/manual.h"

// Prints docs/man/saslatch.conf.5.
int main() {
  return std::fputs(saslatch::config::saslatch_conf_manual().c_str(), stdout) < 0 ? 1 : 0;
}
