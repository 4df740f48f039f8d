#ifndef SASLATCH_TESTS_PLUGIN_APPLICATION_H_
#define SASLATCH_TESTS_PLUGIN_APPLICATION_H_

#include <sasl/sasl.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace saslatch::plugin {

// A program that uses libsasl2 as mail servers do: initialised while it lives, one at a time in a
// process.
class Application {
 public:
  // `options` are the lines of its configuration; `plugin_path` where libsasl2 looks, by default in
  // our folder alone.
  explicit Application(std::map<std::string, std::string> options,
                       std::string plugin_path = SASLATCH_PLUGIN_DIR);
  ~Application();
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  // The lines that the plugin has logged; libsasl2's own say that it found no auxprop plugin here.
  [[nodiscard]] std::string log() const;

  // The libraries that provide a mechanism, first the one that is used: "saslatch", "plain" ...
  [[nodiscard]] static std::vector<std::string> providers(const std::string& mechanism);

 private:
  static int get_option(void* self, const char* plugin, const char* name, const char** value,
                        unsigned* length);
  static int get_path(void* self, const char** path);
  static int take_log(void* self, int level, const char* message);

  std::map<std::string, std::string> options_;
  std::string plugin_path_;
  mutable std::mutex mutex_;
  std::string log_;
  std::vector<sasl_callback_t> callbacks_;
};

// What is known of a client's connection when it says AUTH.
struct ClientFacts {
  const char* service = "smtp";
  const char* realm = nullptr;
  const char* local = nullptr;   // "192.0.2.1;587"
  const char* remote = nullptr;  // likewise
  sasl_ssf_t external_ssf = 0;
  sasl_security_properties_t properties{};
};

// One client's session.
class Session {
 public:
  explicit Session(const ClientFacts& facts = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Both return libsasl2's code. challenge() is what they gave out.
  int start(const std::string& mechanism, std::optional<std::string> initial_response = {});
  int step(const std::string& response);
  [[nodiscard]] const std::string& challenge() const { return challenge_; }

  // Whole exchanges. `login` waits for both prompts.
  int plain(const std::string& user, const std::string& password, const std::string& authzid = "");
  int login(const std::string& user, const std::string& password);
  int cram_md5(const std::string& user, const std::string& password);
  int log_in(const std::string& mechanism, const std::string& user, const std::string& password);

  [[nodiscard]] std::string username() const;
  // Offered, separated by spaces; "" if none.
  [[nodiscard]] std::string mechanisms() const;
  // What an application shows of the last error.
  [[nodiscard]] std::string error_detail() const;

 private:
  int take(int code, const char* output, unsigned length);

  sasl_conn_t* connection_ = nullptr;
  std::string challenge_;
};

std::string secret_of(const std::string& user);

}  // namespace saslatch::plugin

#endif  // SASLATCH_TESTS_PLUGIN_APPLICATION_H_
