# Maven as Debian has it, with the plug-ins that a build needs (they come from a file repository, so that tests need
# no network); newer generations as they are published; Gradle, Leiningen, Ivy and coursier.
maven_of_debian() {
  debian maven openjdk-17-jdk-headless libmaven-resources-plugin-java libmaven-compiler-plugin-java libsurefire-java \
    libmaven-jar-plugin-java libmaven-install-plugin-java libmaven-deploy-plugin-java libmaven-dependency-plugin-java \
    libmaven-clean-plugin-java libmaven-source-plugin-java gradle libgradle-plugins-java leiningen ivy
}
maven_release() { # name, version
  local folder="$tools/$1"
  mvn -B -ntp -q -Dmaven.repo.local="$folder/m2" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get \
    -Dartifact="org.apache.maven:apache-maven:$2:zip:bin" -Dtransitive=false || return
  python3 -m zipfile -e "$folder/m2/org/apache/maven/apache-maven/$2/apache-maven-$2-bin.zip" "$folder" || return
  chmod +x "$folder/apache-maven-$2/bin/mvn"
  ln -sfn "apache-maven-$2" "$folder/dist"
  rm -rf "$folder/m2"
}
coursier_cli() { # what sbt and others resolve with
  local folder="$tools/coursier"
  cat >"$folder/pom.xml" <<'POM' || return
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>clients</groupId><artifactId>coursier</artifactId><version>1</version><dependencies><dependency>
<groupId>io.get-coursier</groupId><artifactId>coursier-cli_2.12</artifactId><version>2.1.10</version>
</dependency></dependencies></project>
POM
  mvn -B -ntp -q -f "$folder/pom.xml" -Dmaven.repo.local="$folder/m2" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory="$folder/lib" || return
  rm -rf "$folder/m2"
}
attempt maven3 maven_of_debian
attempt maven39 maven_release maven39 3.9.11
attempt maven4 maven_release maven4 4.0.0-rc-4
attempt coursier coursier_cli
