#include "daemon/passdb/drivers/make_passdb.h"

#include <utility>

#include "daemon/passdb/drivers/module_loader.h"
#include "daemon/passdb/embedded.h"
#include "daemon/passdb/passwd_file.h"
#include "daemon/passdb/sql/sql_passdb.h"

namespace saslatch::passdb {
namespace {

class MissingPassdb final : public Passdb {
 public:
  MissingPassdb(std::string name, std::string_view driver, std::string reason)
      : name_(std::move(name)), driver_(driver), reason_(std::move(reason)) {}

  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] bool blocks() const override { return false; }
  void find(std::string, std::function<void(Lookup)> done) override { done(Unavailable{reason_}); }
  bool list(std::string_view, const std::function<bool(std::string_view name)>&) override {
    return false;
  }
  [[nodiscard]] TypicalCredential typical_credential() const override { return {}; }
  [[nodiscard]] PassdbStatus status() const override {
    return {name_, driver_, false, reason_, {}};
  }
  [[nodiscard]] Result<void> check_usable() override { return failure(reason_); }

 private:
  const std::string name_;
  const std::string driver_;
  const std::string reason_;
};

}  // namespace

Result<std::shared_ptr<Passdb>> make_passdb(const PassdbSettings& settings,
                                            const PassdbPlaces& places, const PassdbParts& parts) {
  if (const std::string_view name = module_of(settings); !name.empty()) {
    const auto module = load_passdb_module(places.module_dir, name);
    if (!module) return tl::unexpected(module.error());
    return (*module)->make(settings, parts);
  }
  switch (settings.driver) {
    case Driver::kEmbedded:
      return std::make_shared<EmbeddedPassdb>(settings.name, places.state_dir, parts.random);
    case Driver::kSql:
      return sql::make_sqlite_passdb(settings, parts);  // the only backend that is in no module
    case Driver::kPasswdFile:
    case Driver::kLdap:
    case Driver::kPam:
    case Driver::kSasldb:  // has a module
      break;
  }
  return std::make_shared<PasswdFilePassdb>(
      PasswdFileOptions{settings.name, settings.path, settings.default_scheme, parts.lowercase},
      parts.log, parts.random);
}

std::shared_ptr<Passdb> make_missing_passdb(const PassdbSettings& settings, std::string reason) {
  return std::make_shared<MissingPassdb>(settings.name, to_string(settings.driver),
                                         std::move(reason));
}

}  // namespace saslatch::passdb
