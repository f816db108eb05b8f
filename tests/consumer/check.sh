#!/bin/sh
# check.sh KIND WORK_DIR COMPILER
#
# Builds and runs the project in the folder KIND, which uses weir as its users do.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$(dirname "$here")")
kind=$1
work=$2/$kind
export CXX="$3"
unset CXXFLAGS LDFLAGS
rm -rf "$work"
mkdir -p "$work"

case $kind in
    meson)
        mkdir -p "$work/source/subprojects"
        cp "$here/meson/meson.build" "$here/main.cpp" "$work/source"
        ln -s "$source" "$work/source/subprojects/weir"
        meson setup "$work/build" "$work/source"
        ninja -C "$work/build" consumer
        ;;
    find_package)
        cmake -S "$source" -B "$work/weir" -DCMAKE_INSTALL_PREFIX="$work/prefix" \
            -DWEIR_BUILD_TESTS=OFF -DWEIR_BUILD_EXAMPLES=OFF -DWEIR_BUILD_BENCHMARKS=OFF
        cmake --install "$work/weir"
        cmake -S "$here/find_package" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix"
        cmake --build "$work/build"
        ;;
    *)
        cmake -S "$here/$kind" -B "$work/build" -DWEIR_SOURCE="$source"
        cmake --build "$work/build"
        ;;
esac
"$work/build/consumer"
