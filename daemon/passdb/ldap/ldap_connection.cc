#include "daemon/passdb/ldap/ldap_connection.h"

#include <ldap.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "daemon/passdb/mask.h"

namespace saslatch::passdb {
namespace {

using Milliseconds = LdapConnection::Milliseconds;

// Where Debian and its kin keep the system's certificates in one file. Only named where it is
// there: libldap's own default is otherwise what ldap.conf(5) says.
constexpr const char* kSystemCas = "/etc/ssl/certs/ca-certificates.crt";

// One more than is wanted, to see that there is more.
constexpr int kSizeLimit = 2;

struct FreeMessage {
  void operator()(LDAPMessage* message) const { ldap_msgfree(message); }
};
using Message = std::unique_ptr<LDAPMessage, FreeMessage>;

timeval timeval_of(Milliseconds time) {
  const auto ms = std::max<int64_t>(time.count(), 1);
  timeval value{};
  value.tv_sec = ms / 1000;
  value.tv_usec = ms % 1000 * 1000;
  return value;
}

bool is_lost(int code) {
  return code == LDAP_SERVER_DOWN || code == LDAP_CONNECT_ERROR || code == LDAP_TIMEOUT ||
         code == LDAP_UNAVAILABLE || code == LDAP_ENCODING_ERROR || code == LDAP_DECODING_ERROR;
}

std::string lowered(std::string_view text) {
  std::string low(text);
  std::transform(low.begin(), low.end(), low.begin(), ascii_lower);
  return low;
}

// What libldap says where GnuTLS gives it no words.
constexpr std::string_view kNoWords = "(unknown error code)";

// The error in words, with what the server or the TLS library adds. The latter quote no password.
std::string told(LDAP* ld, int code, std::string_view doing) {
  std::string text = std::string(doing) + ": " + ldap_err2string(code);
  char* more = nullptr;
  if (ld != nullptr && ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more) == LDAP_SUCCESS &&
      more != nullptr && *more != '\0' && more != kNoWords) {
    text += std::string(" (") + more + ")";
  }
  ldap_memfree(more);
  return text;
}

// What Active Directory adds to invalidCredentials: "... data 775, v3839"; 0 where there is none.
unsigned active_directory_code(std::string_view text) {
  const size_t at = text.find(" data ");
  if (at == std::string_view::npos || !text.starts_with("80090308")) return 0;
  unsigned code = 0;
  for (const char c : text.substr(at + 6)) {
    if (c >= '0' && c <= '9') {
      code = code * 16 + static_cast<unsigned>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      code = code * 16 + static_cast<unsigned>(c - 'a' + 10);
    } else {
      break;
    }
    if (code > 0xffff) return 0;
  }
  return code;
}

}  // namespace

struct LdapConnection::Handle {
  Handle() = default;
  ~Handle() {
    if (ld != nullptr) ldap_unbind_ext(ld, nullptr, nullptr);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  LDAP* ld = nullptr;
};

LdapConnection::LdapConnection(std::unique_ptr<Handle> handle, Milliseconds timeout)
    : handle_(std::move(handle)), timeout_(timeout) {}
LdapConnection::LdapConnection(LdapConnection&&) noexcept = default;
LdapConnection& LdapConnection::operator=(LdapConnection&&) noexcept = default;
LdapConnection::~LdapConnection() = default;

const std::vector<Secret>& LdapEntry::of(std::string_view attribute) const {
  static const std::vector<Secret> kNone;
  const auto found = values.find(lowered(attribute));
  return found != values.end() ? found->second : kNone;
}

Result<LdapConnection> LdapConnection::open(const LdapServer& server) {
  auto handle = std::make_unique<Handle>();
  int code = ldap_initialize(&handle->ld, server.uri.c_str());
  if (code != LDAP_SUCCESS) return failure(told(nullptr, code, server.uri));
  LDAP* const ld = handle->ld;
  const int version = LDAP_VERSION3;
  const timeval patience = timeval_of(server.timeout);
  const int verify = LDAP_OPT_X_TLS_DEMAND;
  const int client = 0;
  const char* ca = server.ca_file.c_str();
  if (server.ca_file.empty() && access(kSystemCas, R_OK) == 0) ca = kSystemCas;
  // What ldap.conf(5) of the machine says must not weaken this.
  const std::pair<int, const void*> kOptions[] = {
      {LDAP_OPT_PROTOCOL_VERSION, &version}, {LDAP_OPT_REFERRALS, LDAP_OPT_OFF},
      {LDAP_OPT_RESTART, LDAP_OPT_ON},       {LDAP_OPT_NETWORK_TIMEOUT, &patience},
      {LDAP_OPT_TIMEOUT, &patience},         {LDAP_OPT_X_TLS_REQUIRE_CERT, &verify}};
  for (const auto& [option, value] : kOptions) {
    if (ldap_set_option(ld, option, value) != LDAP_OPT_SUCCESS) {
      return failure("libldap does not take option " + std::to_string(option));
    }
  }
  if (*ca != '\0') ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, ca);
  if (ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) != LDAP_OPT_SUCCESS) {
    return failure("TLS cannot be set up; is " + std::string(ca) + " a file of certificates?");
  }
  // A handshake that fails looks to libldap like a server that is not there.
  const auto tls_failure = [&](const std::string& doing) {
    return failure(told(ld, code, doing) +
                   "; if it runs, its certificate may not be good for this name, or be of no "
                   "authority in " +
                   (*ca != '\0' ? ca : "tls-ca-file"));
  };
  code = ldap_connect(ld);
  if (code != LDAP_SUCCESS) {
    if (server.uri.find("ldaps://") != std::string::npos) return tls_failure(server.uri);
    return failure(told(ld, code, server.uri));
  }
  // Of several URIs one may have been ldaps://.
  if (server.starttls && server.uri.find("ldap://") != std::string::npos &&
      ldap_tls_inplace(ld) == 0) {
    code = ldap_start_tls_s(ld, nullptr, nullptr);
    if (code != LDAP_SUCCESS) return tls_failure(server.uri + ": StartTLS");
  }
  return LdapConnection(std::move(handle), server.timeout);
}

bool LdapConnection::is_alive() const {
  int fd = -1;
  if (ldap_get_option(handle_->ld, LDAP_OPT_DESC, &fd) != LDAP_OPT_SUCCESS || fd < 0) return false;
  // Not POLLIN: tickets of TLS 1.3 lie there too.
  pollfd look{fd, POLLRDHUP, 0};
  return poll(&look, 1, 0) == 0;
}

Result<void> LdapConnection::bind_service(const std::string& dn, const Secret& password,
                                          Milliseconds at_most) {
  const Bound bound = bind_user(dn, password, at_most);
  if (bound.result.verdict == ProofVerdict::kRight) return {};
  return failure((dn.empty() ? "the anonymous bind" : "the bind as bind-dn " + dn) +
                 " failed: " + bound.result.reason);
}

LdapFound LdapConnection::search(const LdapSearch& search, Milliseconds at_most) {
  LDAP* const ld = handle_->ld;
  std::vector<char*> names;
  for (const std::string& name : search.attributes)
    names.push_back(const_cast<char*>(name.c_str()));
  char none[] = LDAP_NO_ATTRS;
  if (names.empty()) names.push_back(none);
  names.push_back(nullptr);
  timeval patience = timeval_of(std::min(at_most, timeout_));
  LDAPMessage* raw = nullptr;
  const int code = ldap_search_ext_s(
      ld, search.base.c_str(), search.whole_subtree ? LDAP_SCOPE_SUBTREE : LDAP_SCOPE_BASE,
      search.filter.c_str(), names.data(), 0, nullptr, nullptr, &patience, kSizeLimit, &raw);
  const Message result(raw);
  if (code == LDAP_NO_SUCH_OBJECT && !search.whole_subtree) return NoEntry{};
  const int entries = result ? ldap_count_entries(ld, result.get()) : 0;
  if (code == LDAP_SIZELIMIT_EXCEEDED || entries > 1) {
    return LdapTrouble{"the search found more than one entry: " + search.filter};
  }
  if (code != LDAP_SUCCESS) {
    return LdapTrouble{told(ld, code, "the search in " + search.base), is_lost(code),
                       code == LDAP_TIMEOUT};
  }
  LDAPMessage* const first = ldap_first_entry(ld, result.get());
  if (first == nullptr) return NoEntry{};
  LdapEntry entry;
  char* dn = ldap_get_dn(ld, first);
  if (dn == nullptr) return LdapTrouble{"an entry has no DN", true};
  entry.dn = dn;
  ldap_memfree(dn);
  for (const std::string& name : search.attributes) {
    berval** const values = ldap_get_values_len(ld, first, name.c_str());
    if (values == nullptr) continue;
    auto& into = entry.values[lowered(name)];
    for (size_t i = 0; values[i] != nullptr; ++i) {
      into.emplace_back(std::string_view(values[i]->bv_val, values[i]->bv_len));
      wipe(values[i]->bv_val, values[i]->bv_len);
    }
    ldap_value_free_len(values);
  }
  return entry;
}

LdapConnection::Bound LdapConnection::bind_user(const std::string& dn, const Secret& password,
                                                Milliseconds at_most) {
  using Clock = std::chrono::steady_clock;
  LDAP* const ld = handle_->ld;
  const auto failed = [](std::string reason, bool lost, bool late = false) {
    return Bound{{ProofVerdict::kUnavailable, std::move(reason), {}}, lost, late};
  };
  if (password.empty() && !dn.empty())
    return {{ProofVerdict::kWrong, "empty password", {}}, false, false};
  std::string bytes(password.reveal());  // libldap does not write into it, but does not say so
  berval credential{static_cast<ber_len_t>(bytes.size()), bytes.data()};
  char oid[] = LDAP_CONTROL_PASSWORDPOLICYREQUEST;
  LDAPControl policy_request{oid, {0, nullptr}, 0};
  LDAPControl* controls[] = {&policy_request, nullptr};
  int id = 0;
  int code = ldap_sasl_bind(ld, dn.c_str(), LDAP_SASL_SIMPLE, &credential, controls, nullptr, &id);
  wipe(bytes);
  if (code != LDAP_SUCCESS) return failed(told(ld, code, "the bind as " + dn), is_lost(code));

  const auto begun = Clock::now();
  timeval patience = timeval_of(std::min(at_most, timeout_));
  LDAPMessage* raw = nullptr;
  const int got = ldap_result(ld, id, LDAP_MSG_ALL, &patience, &raw);
  const Message answer(raw);
  if (got == 0) {
    // What comes after all would be taken for the answer to the next question.
    ldap_abandon_ext(ld, id, nullptr, nullptr);
    return failed("the bind as " + dn + ": no answer in time", true, true);
  }
  if (got < 0) {
    ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &code);
    return failed(told(ld, code, "the bind as " + dn), true);
  }
  char* text = nullptr;
  LDAPControl** returned = nullptr;
  const int parsed =
      ldap_parse_result(ld, answer.get(), &code, nullptr, &text, nullptr, &returned, 0);
  const std::string said = text != nullptr ? text : "";
  ldap_memfree(text);
  LDAPPasswordPolicyError policy = PP_noError;
  bool has_policy = false;
  if (LDAPControl* const control =
          ldap_control_find(LDAP_CONTROL_PASSWORDPOLICYRESPONSE, returned, nullptr)) {
    ber_int_t expires = 0;
    ber_int_t grace = 0;
    has_policy =
        ldap_parse_passwordpolicy_control(ld, control, &expires, &grace, &policy) == LDAP_SUCCESS &&
        policy != PP_noError;
  }
  if (returned != nullptr) ldap_controls_free(returned);
  if (parsed != LDAP_SUCCESS) return failed(told(ld, parsed, "the bind as " + dn), true);

  Bound bound;
  bound.result.verdict = verdict_of_bind(code, said, has_policy ? static_cast<int>(policy) : -1);
  bound.result.reason =
      std::string(ldap_err2string(code)) + (said.empty() ? "" : " (" + said + ")");
  if (has_policy) bound.result.reason += std::string(", ") + ldap_passwordpolicy_err2txt(policy);
  bound.result.took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun);
  bound.is_connection_lost = is_lost(code);
  return bound;
}

ProofVerdict verdict_of_bind(int code, std::string_view text, int policy) {
  switch (code) {
    case LDAP_SUCCESS:
      // Then the server takes nothing from him but another password.
      return policy == PP_changeAfterReset ? ProofVerdict::kDisabled : ProofVerdict::kRight;
    case LDAP_INVALID_CREDENTIALS:
      if (policy == PP_accountLocked || policy == PP_passwordExpired) {
        return ProofVerdict::kDisabled;
      }
      switch (active_directory_code(text)) {
        case 0x525:  // there is no such user
          return ProofVerdict::kUnknownUser;
        case 0x530:  // not at this hour
        case 0x531:  // not from this computer
        case 0x532:  // the password has expired
        case 0x533:  // the account is disabled
        case 0x701:  // the account has expired
        case 0x773:  // the password must be changed first
        case 0x775:  // the account is locked
          return ProofVerdict::kDisabled;
        default:
          return ProofVerdict::kWrong;
      }
    case LDAP_INAPPROPRIATE_AUTH:  // the entry has no password
      return ProofVerdict::kWrong;
    case LDAP_NO_SUCH_OBJECT:
      return ProofVerdict::kUnknownUser;
    case LDAP_UNWILLING_TO_PERFORM:  // 389 Directory Server: the account is inactivated
    case LDAP_CONSTRAINT_VIOLATION:  // the same: too many wrong passwords
      return ProofVerdict::kDisabled;
    default:
      return ProofVerdict::kUnavailable;
  }
}

}  // namespace saslatch::passdb
