#ifndef SASLATCH_DAEMON_SESSION_SESSION_PARTS_H_
#define SASLATCH_DAEMON_SESSION_SESSION_PARTS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "daemon/audit/log.h"
#include "daemon/session/attempt.h"
#include "daemon/session/held_answers.h"
#include "daemon/session/session.h"
#include "daemon/session/settings.h"

namespace saslatch {

// What every session is made with. References outlive the session.
struct SessionParts {
  AttemptServices& services;
  HeldAnswers& holds;
  Log& log;
  // This event loop's settings; replaced on its thread by a reload.
  const std::shared_ptr<const Settings>& settings;
  std::shared_ptr<Mailbox> mailbox;
  std::string listener;     // the NAME of [listen.NAME]
  uint32_t connection = 0;  // unique in the life of the daemon
  uint32_t server_pid = 0;
  // Kept until the session ends: whoever made it counts his connections by it.
  std::shared_ptr<void> counted = {};
};

}  // namespace saslatch

#endif  // SASLATCH_DAEMON_SESSION_SESSION_PARTS_H_
