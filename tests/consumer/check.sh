#!/bin/sh
# check.sh KIND WORK_DIR COMPILER
#
# Builds and runs a project that uses weir as its users do. KIND is one of the folders beside this
# file, or:
#     meson_install   the project of pkg_config, with a weir that meson has installed
#     single_header   main.cpp with nothing but the header that cmake/amalgamate prints
set -eu

here=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$(dirname "$here")")
kind=$1
work=$2/$kind
export CXX="$3"
unset CXXFLAGS LDFLAGS
rm -rf "$work"
mkdir -p "$work/build"
version=$(sed -n 's/^#define WEIR_VERSION "\(.*\)"/\1/p' "$source/include/weir/version.hpp")

# Into another folder than the one that was configured: the package files must not name it.
cmake_install() {
    cmake -S "$source" -B "$work/weir" -DCMAKE_INSTALL_PREFIX=/nowhere \
        -DWEIR_BUILD_TESTS=OFF -DWEIR_BUILD_EXAMPLES=OFF -DWEIR_BUILD_BENCHMARKS=OFF
    cmake --install "$work/weir" --prefix "$work/prefix"
}

build_with_pkg_config() {
    config=$(find "$work/prefix" -name weir.pc)
    export PKG_CONFIG_PATH="${config%/*}"
    [ "$(pkg-config --modversion weir)" = "$version" ]
    cp -r "$here/pkg_config" "$here/main.cpp" "$work"
    make -C "$work/pkg_config"
    mv "$work/pkg_config/consumer" "$work/build"
}

case $kind in
    fetch_content)
        tar -czf "$work/weir.tar.gz" -C "$source" CMakeLists.txt LICENSE cmake include
        cmake -S "$here/$kind" -B "$work/build" -DWEIR_URL="file://$work/weir.tar.gz"
        cmake --build "$work/build"
        ;;
    find_package)
        cmake_install
        cmake -S "$here/$kind" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" \
            -DWEIR_VERSION="$version"
        cmake --build "$work/build"
        ;;
    pkg_config)
        cmake_install
        build_with_pkg_config
        ;;
    meson_install)
        meson setup "$work/weir" "$source" --prefix "$work/prefix"
        meson install -C "$work/weir" --no-rebuild
        build_with_pkg_config
        ;;
    meson)
        mkdir -p "$work/source/subprojects"
        cp "$here/meson/meson.build" "$here/main.cpp" "$work/source"
        ln -s "$source" "$work/source/subprojects/weir"
        meson setup "$work/build" "$work/source"
        ninja -C "$work/build" consumer
        ;;
    single_header)
        mkdir "$work/weir"
        "$source/cmake/amalgamate" >"$work/weir/weir.hpp"
        $CXX -std=c++20 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -I "$work" \
            "$here/main.cpp" -pthread -o "$work/build/consumer"
        ;;
    two_versions)
        mkdir "$work/later"
        cp -r "$source/include/weir" "$work/later"
        sed -i 's/^\(#define WEIR_VERSION_MINOR\) .*/\1 999/; s/^\(#define WEIR_VERSION\) .*/\1 "later"/' \
            "$work/later/weir/version.hpp"
        cmake -S "$here/$kind" -B "$work/build" -DWEIR_SOURCE="$source" -DWEIR_LATER="$work/later"
        cmake --build "$work/build"
        ;;
    *)
        cmake -S "$here/$kind" -B "$work/build" -DWEIR_SOURCE="$source"
        cmake --build "$work/build"
        ;;
esac
"$work/build/consumer"
