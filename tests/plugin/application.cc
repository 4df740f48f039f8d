#include "tests/plugin/application.h"

#include <sasl/saslplug.h>

#include <cstring>
#include <stdexcept>

#include "protocol/base/base64.h"
#include "protocol/base/crypto/cram_md5_context.h"

namespace saslatch::plugin {
namespace {

using Callback = int (*)();

template <typename Function>
Callback callback(Function* function) {
  return reinterpret_cast<Callback>(reinterpret_cast<void (*)()>(function));
}

void note_provider(server_sasl_mechanism_t* mechanism, sasl_info_callback_stage_t stage,
                   void* list) {
  if (stage == SASL_INFO_LIST_MECH) {
    static_cast<std::vector<std::string>*>(list)->emplace_back(mechanism->plugname);
  }
}

}  // namespace

Application::Application(std::map<std::string, std::string> options, std::string plugin_path)
    : options_(std::move(options)), plugin_path_(std::move(plugin_path)) {
  callbacks_ = {{SASL_CB_GETOPT, callback(get_option), this},
                {SASL_CB_GETPATH, callback(get_path), this},
                {SASL_CB_LOG, callback(take_log), this},
                {SASL_CB_LIST_END, nullptr, nullptr}};
  if (sasl_server_init(callbacks_.data(), "saslatch-test") != SASL_OK) {
    throw std::runtime_error("sasl_server_init");
  }
}

Application::~Application() { sasl_done(); }

std::string Application::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

std::vector<std::string> Application::providers(const std::string& mechanism) {
  std::vector<std::string> list;
  sasl_server_plugin_info(mechanism.c_str(), note_provider, &list);
  return list;
}

int Application::get_option(void* self, const char*, const char* name, const char** value,
                            unsigned* length) {
  const auto& options = static_cast<Application*>(self)->options_;
  const auto found = options.find(name);
  if (found == options.end()) return SASL_FAIL;
  *value = found->second.c_str();
  if (length != nullptr) *length = static_cast<unsigned>(found->second.size());
  return SASL_OK;
}

int Application::get_path(void* self, const char** path) {
  *path = static_cast<Application*>(self)->plugin_path_.c_str();
  return SASL_OK;
}

int Application::take_log(void* self, int, const char* message) {
  auto& application = *static_cast<Application*>(self);
  if (std::string_view(message).find("saslatch: ") == std::string_view::npos) return SASL_OK;
  const std::lock_guard lock(application.mutex_);
  application.log_ += std::string(message) + "\n";
  return SASL_OK;
}

Session::Session(const ClientFacts& facts) {
  if (sasl_server_new(facts.service, "mail.example.org", facts.realm, facts.local, facts.remote,
                      nullptr, 0, &connection_) != SASL_OK) {
    throw std::runtime_error("sasl_server_new");
  }
  sasl_setprop(connection_, SASL_SEC_PROPS, &facts.properties);
  sasl_setprop(connection_, SASL_SSF_EXTERNAL, &facts.external_ssf);
}

Session::~Session() { sasl_dispose(&connection_); }

int Session::take(int code, const char* output, unsigned length) {
  challenge_ = output == nullptr ? "" : std::string(output, length);
  return code;
}

int Session::start(const std::string& mechanism, std::optional<std::string> initial_response) {
  const char* output = nullptr;
  unsigned length = 0;
  const int code = sasl_server_start(
      connection_, mechanism.c_str(), initial_response ? initial_response->data() : nullptr,
      initial_response ? static_cast<unsigned>(initial_response->size()) : 0, &output, &length);
  return take(code, output, length);
}

int Session::step(const std::string& response) {
  const char* output = nullptr;
  unsigned length = 0;
  const int code = sasl_server_step(connection_, response.data(),
                                    static_cast<unsigned>(response.size()), &output, &length);
  return take(code, output, length);
}

int Session::plain(const std::string& user, const std::string& password,
                   const std::string& authzid) {
  return start("PLAIN", authzid + '\0' + user + '\0' + password);
}

int Session::login(const std::string& user, const std::string& password) {
  if (const int code = start("LOGIN"); code != SASL_CONTINUE) return code;
  if (const int code = step(user); code != SASL_CONTINUE) return code;
  return step(password);
}

int Session::cram_md5(const std::string& user, const std::string& password) {
  if (const int code = start("CRAM-MD5"); code != SASL_CONTINUE) return code;
  const auto context = CramMd5Context::from_password(password);
  return step(user + " " + hex_encode(context.hmac(challenge_)));
}

int Session::log_in(const std::string& mechanism, const std::string& user,
                    const std::string& password) {
  if (mechanism == "PLAIN") return plain(user, password);
  return mechanism == "LOGIN" ? login(user, password) : cram_md5(user, password);
}

std::string Session::username() const {
  const void* name = nullptr;
  if (sasl_getprop(connection_, SASL_USERNAME, &name) != SASL_OK || name == nullptr) return "";
  return static_cast<const char*>(name);
}

std::string Session::mechanisms() const {
  const char* list = nullptr;
  if (sasl_listmech(connection_, nullptr, "", " ", "", &list, nullptr, nullptr) != SASL_OK) {
    return "";
  }
  return list;
}

std::string Session::error_detail() const { return sasl_errdetail(connection_); }

std::string secret_of(const std::string& user) { return "secret of " + user; }

}  // namespace saslatch::plugin
