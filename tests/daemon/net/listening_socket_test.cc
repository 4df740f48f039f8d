#include "daemon/net/listening_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>

#include "tests/daemon/net/temporary_folder.h"

namespace saslatch::net {
namespace {

bool can_connect(const std::string& path) {
  const FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

mode_t mode_of(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

class ListeningSocketTest : public ::testing::Test {
 protected:
  UnixAddress at(const std::string& name, mode_t mode = 0660) {
    UnixAddress address;
    address.path = folder / name;
    address.mode = mode;
    return address;
  }

  saslatch::testing::TemporaryFolder folder;
};

TEST_F(ListeningSocketTest, HasItsModeAndGoesWithItsObject) {
  const std::string path = folder / "auth";
  {
    const auto socket = ListeningSocket::open(at("auth", 0606));
    ASSERT_TRUE(socket) << socket.error().message;
    EXPECT_EQ(mode_of(path), 0606u);
    EXPECT_TRUE(can_connect(path));
    EXPECT_FALSE(std::filesystem::exists(path + ".new"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ListeningSocketTest, ReplacesTheSocketOfADeadProcess) {
  {
    const FileDescriptor dead(socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder / "auth").copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(folder / "auth"));
  const auto fresh = ListeningSocket::open(at("auth"));
  ASSERT_TRUE(fresh) << fresh.error().message;
  EXPECT_TRUE(can_connect(folder / "auth"));
}

TEST_F(ListeningSocketTest, LeavesASocketAloneOnWhichSomebodyAnswers) {
  const auto first = ListeningSocket::open(at("auth"));
  ASSERT_TRUE(first);
  const auto second = ListeningSocket::open(at("auth"));
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another process answers"), std::string::npos);
  EXPECT_TRUE(can_connect(folder / "auth"));
}

TEST_F(ListeningSocketTest, LeavesAFileAloneThatIsNoSocket) {
  std::ofstream(folder / "auth") << "mail";
  const auto socket = ListeningSocket::open(at("auth"));
  ASSERT_FALSE(socket);
  EXPECT_NE(socket.error().message.find("no socket"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(folder / "auth"), 4u);
}

TEST_F(ListeningSocketTest, DoesNotUnlinkWhatTookItsPlace) {
  {
    const auto first = ListeningSocket::open(at("auth"));
    ASSERT_TRUE(first);
    std::filesystem::remove(folder / "auth");
    std::ofstream(folder / "auth") << "another's";
  }
  EXPECT_TRUE(std::filesystem::exists(folder / "auth"));
}

TEST_F(ListeningSocketTest, SaysWhatIsWrongWithAPath) {
  const auto missing = ListeningSocket::open(at("no/such/folder"));
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("No such file"), std::string::npos);
  const auto long_path = ListeningSocket::open(at(std::string(120, 'x')));
  ASSERT_FALSE(long_path);
  EXPECT_NE(long_path.error().message.find("accepted: at most"), std::string::npos);
}

TEST(TcpListeningSocket, TakesTheAddressesOfBothFamiliesAndNoNames) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    const auto socket = ListeningSocket::open(TcpAddress{host, 0});
    EXPECT_TRUE(socket) << socket.error().message;
  }
  EXPECT_FALSE(ListeningSocket::open(TcpAddress{"localhost", 0}));
}

TEST(SocketAddress, ReadsAsItIsConfigured) {
  EXPECT_EQ(to_string(SocketAddress(TcpAddress{"127.0.0.1", 25})), "127.0.0.1:25");
  EXPECT_EQ(to_string(SocketAddress(TcpAddress{"::1", 25})), "[::1]:25");
  UnixAddress one;
  one.path = "/run/a";
  UnixAddress other = one;
  other.mode = 0600;
  EXPECT_TRUE(is_same_place(one, other));
  EXPECT_FALSE(SocketAddress(one) == SocketAddress(other));
}

}  // namespace
}  // namespace saslatch::net
