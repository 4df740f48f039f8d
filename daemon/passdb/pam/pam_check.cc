#include "daemon/passdb/pam/pam_check.h"

#include <security/pam_appl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

namespace saslatch::passdb {
namespace {

// Modules that ask for more than a name and a password again and again get no answer.
constexpr int kMostPrompts = 8;

struct Talk {
  const PamQuestion& question;
  int prompts = 0;
};

void free_replies(pam_response* replies, int count) {
  for (int i = 0; i < count; ++i) {
    if (replies[i].resp == nullptr) continue;
    wipe(replies[i].resp, std::strlen(replies[i].resp));
    std::free(replies[i].resp);
  }
  std::free(replies);
}

// pam_conv(3): the answers are freed by who asked, with free(3).
int converse(int count, const pam_message** messages, pam_response** answers, void* data) {
  Talk& talk = *static_cast<Talk*>(data);
  if (count <= 0 || count > PAM_MAX_NUM_MSG || messages == nullptr || answers == nullptr) {
    return PAM_CONV_ERR;
  }
  auto* replies =
      static_cast<pam_response*>(std::calloc(static_cast<size_t>(count), sizeof(pam_response)));
  if (replies == nullptr) return PAM_BUF_ERR;
  for (int i = 0; i < count; ++i) {
    const int style = messages[i]->msg_style;
    if (style == PAM_TEXT_INFO || style == PAM_ERROR_MSG) continue;
    const bool asks_password = style == PAM_PROMPT_ECHO_OFF;
    if ((!asks_password && style != PAM_PROMPT_ECHO_ON) || ++talk.prompts > kMostPrompts ||
        talk.question.account_only) {
      free_replies(replies, count);
      return PAM_CONV_ERR;
    }
    const std::string_view text =
        asks_password ? talk.question.password.reveal() : std::string_view(talk.question.user);
    replies[i].resp = strndup(text.data(), text.size());
    if (replies[i].resp == nullptr) {
      free_replies(replies, count);
      return PAM_BUF_ERR;
    }
  }
  *answers = replies;
  return PAM_SUCCESS;
}

void delay_nothing(int, unsigned, void*) {}

// PAM falls back to the service "other" for one that nobody has set up, and that denies: everybody
// would have a wrong password.
bool is_set_up(const std::string& service, const std::string& confdir) {
  if (service.find('/') != std::string::npos) return false;
  const auto is_there = [](const std::string& path) { return access(path.c_str(), R_OK) == 0; };
  if (!confdir.empty()) return is_there(confdir + "/" + service);
  return is_there("/etc/pam.d/" + service) || is_there("/usr/lib/pam.d/" + service) ||
         (access("/etc/pam.d", F_OK) != 0 && is_there("/etc/pam.conf"));
}

class Handle {
 public:
  Handle() = default;
  ~Handle() {
    if (pam != nullptr) pam_end(pam, last);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  pam_handle_t* pam = nullptr;
  int last = PAM_SUCCESS;
};

}  // namespace

PamAnswer ask_pam(const PamQuestion& question, const std::string& confdir) {
  if (!is_set_up(question.service, confdir)) {
    return {ProofVerdict::kUnavailable, "there is no PAM service " + question.service + ": make " +
                                            (confdir.empty() ? "/etc/pam.d" : confdir) + "/" +
                                            question.service};
  }
  Talk talk{question};
  const pam_conv conversation{converse, &talk};
  Handle handle;
  const int begun =
      pam_start_confdir(question.service.c_str(), question.user.c_str(), &conversation,
                        confdir.empty() ? nullptr : confdir.c_str(), &handle.pam);
  if (begun != PAM_SUCCESS) return {ProofVerdict::kUnavailable, "PAM cannot begin"};
  const auto answer = [&handle](int value, ProofVerdict verdict, const char* doing) {
    handle.last = value;
    return PamAnswer{verdict, std::string(doing) + ": " + pam_strerror(handle.pam, value)};
  };
  // A pointer to a function as one to an object: what pam_fail_delay(3) asks for.
  void (*const no_delay)(int, unsigned, void*) = delay_nothing;
  void* delay = nullptr;
  static_assert(sizeof delay == sizeof no_delay);
  std::memcpy(&delay, &no_delay, sizeof delay);
  int value = pam_set_item(handle.pam, PAM_FAIL_DELAY, delay);
  if (value == PAM_SUCCESS && !question.rhost.empty()) {
    value = pam_set_item(handle.pam, PAM_RHOST, question.rhost.c_str());
  }
  if (value != PAM_SUCCESS) return answer(value, ProofVerdict::kUnavailable, "pam_set_item");
  if (!question.account_only) {
    value = pam_authenticate(handle.pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    if (const ProofVerdict verdict = verdict_of_authenticate(value);
        verdict != ProofVerdict::kRight) {
      return answer(value, verdict, "pam_authenticate");
    }
  }
  value = pam_acct_mgmt(handle.pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
  return answer(value, verdict_of_account(value), "pam_acct_mgmt");
}

ProofVerdict verdict_of_authenticate(int value) {
  switch (value) {
    case PAM_SUCCESS:
      return ProofVerdict::kRight;
    case PAM_AUTH_ERR:
    case PAM_PERM_DENIED:
      return ProofVerdict::kWrong;
    case PAM_USER_UNKNOWN:
      return ProofVerdict::kUnknownUser;
    case PAM_MAXTRIES:  // the modules' own lock, pam_faillock(8) for one
    case PAM_ACCT_EXPIRED:
    case PAM_NEW_AUTHTOK_REQD:
    case PAM_CRED_EXPIRED:
    case PAM_AUTHTOK_EXPIRED:
      return ProofVerdict::kDisabled;
    default:
      // PAM_CRED_INSUFFICIENT and PAM_AUTHINFO_UNAVAIL too: we may not look, or cannot now.
      return ProofVerdict::kUnavailable;
  }
}

ProofVerdict verdict_of_account(int value) {
  switch (value) {
    case PAM_SUCCESS:
      return ProofVerdict::kRight;
    case PAM_USER_UNKNOWN:
      return ProofVerdict::kUnknownUser;
    case PAM_AUTH_ERR:
    case PAM_PERM_DENIED:
    case PAM_ACCT_EXPIRED:
    case PAM_NEW_AUTHTOK_REQD:
    case PAM_AUTHTOK_EXPIRED:
    case PAM_CRED_EXPIRED:
      return ProofVerdict::kDisabled;
    default:
      return ProofVerdict::kUnavailable;
  }
}

}  // namespace saslatch::passdb
